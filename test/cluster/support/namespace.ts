import { randomBytes } from 'node:crypto';
import { eventually } from '../../support/api-client';
import { kubectl } from './kubectl';

export interface NamespaceOptions {
  /** Pods that ask for more than the `restricted` level of Pod Security are refused. */
  restricted?: boolean;
  /** The hard limits of a ResourceQuota, for example `{ pods: '2' }`. */
  quota?: Record<string, string>;
}

export interface TemporaryNamespace {
  name: string;
  /** Deletes it with everything in it, and returns when it is gone. */
  delete(): Promise<void>;
}

/** A namespace for one test file. */
export async function temporaryNamespace(options: NamespaceOptions = {}): Promise<TemporaryNamespace> {
  const name = `reins-test-${randomBytes(4).toString('hex')}`;
  const labels = options.restricted
    ? { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/enforce-version': 'latest' }
    : {};
  const objects: object[] = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }];
  if (options.quota) {
    const metadata = { name: 'test', namespace: name };
    objects.push({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: options.quota } });
  }
  await kubectl(['apply', '-f', '-'], objects.map((one) => JSON.stringify(one)).join('\n'));
  // A pod is refused before its service account exists; a quota refuses everything before it was counted.
  await eventually(() => kubectl(['get', 'serviceaccount', 'default', `--namespace=${name}`]), 30_000, 100);
  if (options.quota) await eventually(() => counted(name), 30_000, 100);
  return {
    name,
    delete: async () => {
      await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=true', '--timeout=120s']);
    },
  };
}

async function counted(namespace: string): Promise<void> {
  const hard = await kubectl(['get', 'quota', 'test', `--namespace=${namespace}`, '--output=jsonpath={.status.hard}']);
  if (!hard) throw new Error(`the quota of ${namespace} was never counted`);
}
