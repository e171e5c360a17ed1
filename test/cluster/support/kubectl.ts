import { execFile } from 'node:child_process';
import { cluster } from './cluster';

/** An object as kubectl prints it: times are text. */
export type AsJson<T> = T extends Date ? string : T extends object ? { [K in keyof T]: AsJson<T[K]> } : T;

/** Runs kubectl and returns what it printed; what it complains about becomes the error. */
export function kubectl(args: string[], input?: string): Promise<string> {
  const { kubeconfig } = cluster();
  return new Promise((resolve, reject) => {
    const child = execFile(
      'kubectl',
      [`--kubeconfig=${kubeconfig}`, '--request-timeout=30s', ...args],
      { maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`));
        else resolve(stdout);
      },
    );
    // Closed early when kubectl refuses its arguments; its exit says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

/** Creates or changes objects. */
export function apply(namespace: string, ...objects: object[]): Promise<string> {
  return kubectl(['--namespace', namespace, 'apply', '-f', '-'], objects.map((one) => JSON.stringify(one)).join('\n'));
}

/** Deletes one object and waits until it is gone. */
export function remove(namespace: string, kind: string, name: string): Promise<string> {
  return kubectl(['--namespace', namespace, 'delete', kind, name, '--wait=true', '--timeout=60s']);
}

/** What the containers of a pod wrote. */
export function logs(namespace: string, pod: string): Promise<string> {
  return kubectl(['--namespace', namespace, 'logs', pod]);
}
