import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LAUNCHER = join(__dirname, '../../apps/controller/src/launchers/kubernetes');
const VERBS: Readonly<Record<string, string>> = { read: 'get', replace: 'update' };
const RESOURCES: Readonly<Record<string, string>> = {
  Pod: 'pods',
  PodLog: 'pods/log',
  Job: 'batch jobs',
  Secret: 'secrets',
  Event: 'events',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  NetworkPolicy: 'networking.k8s.io networkpolicies',
};

/** What the kubernetes launcher asks API servers for, as `verb group resource`, read from its source. */
export function callsOfLauncher(): string[] {
  const source = readdirSync(LAUNCHER, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) => readFileSync(join(LAUNCHER, file), 'utf8'))
    .join('\n');
  const calls = [...source.matchAll(/\.([a-z]+)Namespaced([A-Z]\w*)\(/g)].map(([, verb = '', kind = '']) => [
    verb,
    kind,
  ]);
  const watches = [...source.matchAll(/new ListWatch<(?:Core)?V1(\w+)>/g)].map(([, kind = '']) => ['watch', kind]);
  const named = [...calls, ...watches].map(([verb = '', kind = '']) => {
    const resource = RESOURCES[kind];
    if (resource === undefined)
      throw new Error(`the launcher calls ${verb} on ${kind}, which this check does not know`);
    return `${VERBS[verb] ?? verb} ${resource}`;
  });
  return [...new Set(named)].sort();
}
