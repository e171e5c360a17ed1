import {
  type CoreV1Event,
  type V1Job,
  type V1NetworkPolicy,
  type V1PersistentVolume,
  type V1PersistentVolumeClaim,
  type V1Pod,
  type V1Secret,
} from '@kubernetes/client-node';
import { type AsJson, kubectl } from './kubectl';

async function list<T>(kind: string, namespace: string, selector?: string): Promise<AsJson<T>[]> {
  const printed = await kubectl([
    'get',
    kind,
    '--output=json',
    `--namespace=${namespace}`,
    ...(selector ? [`--selector=${selector}`] : []),
  ]);
  return (JSON.parse(printed) as { items: AsJson<T>[] }).items;
}

export const pods = (namespace: string, selector?: string) => list<V1Pod>('pods', namespace, selector);
export const jobs = (namespace: string, selector?: string) => list<V1Job>('jobs', namespace, selector);
export const secrets = (namespace: string, selector?: string) => list<V1Secret>('secrets', namespace, selector);
export const claims = (namespace: string, selector?: string) =>
  list<V1PersistentVolumeClaim>('persistentvolumeclaims', namespace, selector);
export const networkPolicies = (namespace: string, selector?: string) =>
  list<V1NetworkPolicy>('networkpolicies', namespace, selector);
export const events = (namespace: string) => list<CoreV1Event>('events', namespace);

export async function pod(namespace: string, name: string): Promise<AsJson<V1Pod>> {
  return JSON.parse(await kubectl(['get', 'pod', name, '--output=json', `--namespace=${namespace}`])) as AsJson<V1Pod>;
}

/** The volumes behind the claims of a namespace; they belong to no namespace themselves. */
export async function volumesOf(namespace: string): Promise<AsJson<V1PersistentVolume>[]> {
  const all = await list<V1PersistentVolume>('persistentvolumes', namespace);
  return all.filter((volume) => volume.spec?.claimRef?.namespace === namespace);
}
