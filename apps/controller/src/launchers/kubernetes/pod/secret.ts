import { type V1Secret } from '@kubernetes/client-node';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { launchLabels, launchName } from './names';
import { type PodRequest } from './pod-request';

/** The harness's credentials and what else it is told, so that none of it stands in the Job. */
export function sessionSecret(request: PodRequest): V1Secret {
  const { sessionId, launchId, credentials, baseUrl, environment } = request;
  return {
    metadata: { name: launchName(sessionId, launchId), labels: launchLabels(request) },
    type: 'Opaque',
    stringData: {
      ...environment,
      [HARNESS_ENV.baseUrl]: baseUrl,
      [HARNESS_ENV.agentId]: credentials.agentId,
      [HARNESS_ENV.agentSecret]: credentials.secret,
    },
  };
}
