import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const CHART = join(__dirname, '../../deploy/helm/reins');

/** The part of any manifest that says what it is. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
}

export interface HelmResult {
  ok: boolean;
  stdout: string;
  stderr: string;
}

/** The program: from the PATH, else the one that scripts/cluster built. Undefined where there is none. */
export function findHelm(): string | undefined {
  if (spawnSync('helm', ['version']).status === 0) return 'helm';
  const cache = join(
    process.env.REINS_CACHE_DIR || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'reins'),
    'cluster',
  );
  if (!existsSync(cache)) return undefined;
  return readdirSync(cache)
    .map((version) => join(cache, version, 'helm'))
    .find((path) => existsSync(path));
}

/** Runs helm, with the values, if there are any, on its standard input. */
export function helm(args: readonly string[], values?: object): HelmResult {
  const program = findHelm();
  if (program === undefined) throw new Error('helm is not installed; scripts/cluster tool helm builds it');
  const { status, stdout, stderr } = spawnSync(program, values === undefined ? args : [...args, '--values', '-'], {
    input: JSON.stringify(values ?? {}),
    encoding: 'utf8',
  });
  return { ok: status === 0, stdout, stderr };
}

export interface RenderOptions {
  namespace?: string;
  /** API groups the cluster knows beside Kubernetes' own. */
  apis?: readonly string[];
}

/** What the chart makes of the values. Throws with helm's words where it refuses them. */
export function render(values: object = {}, { namespace = 'reins-system', apis = [] }: RenderOptions = {}): Manifest[] {
  const flags = [
    '--namespace',
    namespace,
    '--kube-version',
    '1.34.4',
    ...apis.flatMap((api) => ['--api-versions', api]),
  ];
  const { ok, stdout, stderr } = helm(['template', 'reins', CHART, ...flags], values);
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0] as Error;
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}
