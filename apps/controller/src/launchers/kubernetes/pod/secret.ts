import { type V1Secret } from '@kubernetes/client-node';
import { type AnyPodRequest, podNames } from './pod-request';

/** The harness's credentials and what else it is told, so that none of it stands in the Job. */
export function sessionSecret(request: AnyPodRequest): V1Secret {
  const { name, labels, secret } = podNames(request);
  return { metadata: { name, labels }, type: 'Opaque', stringData: secret };
}
