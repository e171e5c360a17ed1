import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { loadSettings } from '../config/load-config';
import { enrollmentEnvironment } from './enrollment-environment';

const text = readFileSync(join(__dirname, '../../../../deploy/harness/harness.yaml'), 'utf8');

const Labels = z.record(z.string(), z.string());
const Named = z.object({ name: z.string(), namespace: z.undefined().optional(), labels: Labels });
const Probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const EnvEntry = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .object({ secretKeyRef: z.object({ name: z.string(), key: z.string(), optional: z.boolean() }) })
    .optional(),
});
const Container = z.object({
  name: z.string(),
  image: z.string(),
  env: z.array(EnvEntry),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: Probe,
  livenessProbe: Probe,
  readinessProbe: Probe,
  resources: z.object({ requests: Labels, limits: Labels }),
  securityContext: z.record(z.string(), z.unknown()),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
});
const Resources = {
  Secret: z.object({ kind: z.literal('Secret'), metadata: Named, stringData: Labels }),
  Service: z.object({
    kind: z.literal('Service'),
    metadata: Named,
    spec: z.strictObject({ clusterIP: z.literal('None'), selector: Labels }),
  }),
  StatefulSet: z.object({
    kind: z.literal('StatefulSet'),
    metadata: Named,
    spec: z.object({
      serviceName: z.string(),
      replicas: z.number().int(),
      selector: z.object({ matchLabels: Labels }),
      template: z.object({
        metadata: z.object({ labels: Labels }),
        spec: z.looseObject({
          securityContext: z.record(z.string(), z.unknown()),
          terminationGracePeriodSeconds: z.number(),
          containers: z.array(Container),
          volumes: z.array(z.looseObject({ name: z.string() })),
        }),
      }),
      volumeClaimTemplates: z.array(z.object({ metadata: Named.omit({ namespace: true }) })),
    }),
  }),
  NetworkPolicy: z.object({
    kind: z.literal('NetworkPolicy'),
    metadata: Named,
    spec: z.object({
      podSelector: z.object({ matchLabels: Labels }),
      policyTypes: z.array(z.string()),
      ingress: z.array(z.unknown()),
      egress: z.array(
        z.object({
          to: z.array(z.record(z.string(), z.unknown())).min(1),
          ports: z.array(z.object({ protocol: z.string(), port: z.number() })).min(1),
        }),
      ),
    }),
  }),
};

const documents = parseAllDocuments(text, { strict: true, uniqueKeys: true });
const plain = documents.map((document) => document.toJS() as { kind: string });

function one<K extends keyof typeof Resources>(kind: K): z.output<(typeof Resources)[K]> {
  const [found, ...more] = plain.filter((resource) => resource.kind === kind);
  expect(more).toEqual([]);
  return Resources[kind].parse(found) as z.output<(typeof Resources)[K]>;
}

const set = one('StatefulSet');
const pod = set.spec.template.spec;
const [container] = pod.containers;
if (container === undefined) throw new Error('the pod has no container');
const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value ?? '']));

describe('deploy/harness/harness.yaml', () => {
  it('is YAML without errors, and nothing but these resources, in no namespace of its own', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(plain.map(({ kind }) => kind)).toEqual(['Secret', 'Service', 'StatefulSet', 'NetworkPolicy']);
    expect(text).not.toMatch(/^\s*namespace:/m);
  });

  it('runs as nobody in particular: non-root, read-only root, no capabilities, seccomp, no service account', () => {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    for (const shared of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers'])
      expect(pod).not.toHaveProperty(shared);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      fsGroupChangePolicy: 'OnRootMismatch',
    });
    expect(pod.securityContext['runAsUser']).toBeGreaterThanOrEqual(10_000);
    expect(pod.containers).toHaveLength(1);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const resource of ['cpu', 'memory', 'ephemeral-storage']) {
      expect(container.resources.limits).toHaveProperty(resource);
      expect(container.resources.requests).toHaveProperty(resource);
    }
    expect(pod.volumes.every((volume) => !('hostPath' in volume))).toBe(true);
  });

  it('gives each replica a volume of its own, and keeps identity and work on it', () => {
    const claims = set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    const mounts = container.volumeMounts.filter(({ name }) => claims.includes(name));
    expect(mounts).toHaveLength(1);
    const root = mounts[0]?.mountPath ?? '';
    // In a folder of its own below the mount: the kubelet sets the mode of the mount itself.
    for (const name of ['REINS_STATE_DIR', 'REINS_WORKSPACE']) expect(env[name]).toMatch(new RegExp(`^${root}/.`));
    expect(env['HOME']).toBe(root);
    const writable = container.volumeMounts.map(({ mountPath }) => mountPath);
    expect(writable).toContain('/tmp');
  });

  it('takes the token from the Secret, and starts without it once every replica has registered', () => {
    const entry = container.env.find(({ name }) => name === 'REINS_ENROLLMENT_TOKEN');
    const { name, key, optional } = entry?.valueFrom?.secretKeyRef ?? {};
    const secret = one('Secret');
    expect({ name, optional }).toEqual({ name: secret.metadata.name, optional: true });
    expect(Object.keys(secret.stringData)).toEqual([key]);
    expect(Object.values(secret.stringData)).toEqual(['re_CHANGE_ME']);
    expect(env).not.toHaveProperty('AIWM_AGENT_ID');
    expect(env).not.toHaveProperty('AIWM_AGENT_SECRET');
  });

  it('says nothing the harness does not understand', () => {
    const settings = loadSettings(env, '/');
    expect(settings).toMatchObject({ baseUrl: 'https://reins.example.com', healthHost: '0.0.0.0', managed: false });
    expect(settings.drainMs).toBeLessThan(pod.terminationGracePeriodSeconds * 1000 - 8_000);
    expect(enrollmentEnvironment({ ...env, REINS_ENROLLMENT_TOKEN: 're_x' })?.labels).toEqual({ cluster: 'east' });
    expect(container.ports).toEqual([{ name: 'health', containerPort: settings.healthPort }]);
    expect(container.startupProbe.httpGet).toEqual({ path: '/health', port: 'health' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/health', port: 'health' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/ready', port: 'health' });
  });

  it('lets nothing in, and out only names and one address', () => {
    const { spec } = one('NetworkPolicy');
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec.ingress).toEqual([]);
    const [names, controller, ...more] = spec.egress;
    expect(more).toEqual([]);
    expect(names?.ports).toEqual([
      { protocol: 'UDP', port: 53 },
      { protocol: 'TCP', port: 53 },
    ]);
    expect(names?.to).toEqual([
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
        podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
      },
    ]);
    expect(controller).toEqual({
      to: [{ ipBlock: { cidr: expect.stringMatching(/\/32$/) as string } }],
      ports: [{ protocol: 'TCP', port: 443 }],
    });
  });

  it('selects its own pods', () => {
    const { labels } = set.spec.template.metadata;
    const service = one('Service');
    expect(set.spec.serviceName).toBe(service.metadata.name);
    for (const selector of [
      set.spec.selector.matchLabels,
      service.spec.selector,
      one('NetworkPolicy').spec.podSelector.matchLabels,
    ]) {
      expect(labels).toMatchObject(selector);
      expect(Object.keys(selector).length).toBeGreaterThan(0);
    }
  });
});
