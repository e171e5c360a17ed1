import {
  type V1Deployment,
  type V1EnvVar,
  type V1HorizontalPodAutoscaler,
  type V1NetworkPolicy,
  type V1PersistentVolumeClaim,
  type V1PodDisruptionBudget,
  type V1Role,
  type V1RoleBinding,
  type V1Secret,
} from '@kubernetes/client-node';
import { PodSettings } from '@reins/shared/api/pods';
import { ClusterList } from '../../apps/controller/src/config/cluster-settings';
import { CONFIG_VARIABLES } from '../../apps/controller/src/config/config';
import { CHART, findHelm, helm, type Manifest, render } from './helm';
import { callsOfLauncher } from './launcher-calls';
import { VALUE_SETS } from './value-sets';

const SEVERAL = VALUE_SETS['several controllers, everything made'] as object;
const EXISTING = VALUE_SETS['existing secrets, scaled by load'] as object;

function only<T>(manifests: Manifest[], kind: string, name?: string): T & Manifest {
  const found = manifests.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  expect(found).toHaveLength(1);
  return found[0] as T & Manifest;
}
const kinds = (manifests: Manifest[]): string[] => manifests.map(({ kind }) => kind).sort();
const podOf = (manifests: Manifest[]) => {
  const { template } = only<V1Deployment>(manifests, 'Deployment').spec ?? {};
  const container = template?.spec?.containers[0];
  if (!template?.spec || !container) throw new Error('the Deployment has no container');
  return { template, spec: template.spec, container };
};
const environment = (manifests: Manifest[]): Map<string, V1EnvVar> =>
  new Map(podOf(manifests).container.env?.map((one) => [one.name, one]));

if (findHelm() === undefined) console.warn('helm is not installed: the tests of the chart are skipped');

(findHelm() === undefined ? describe.skip : describe)('the chart', () => {
  it.each(Object.entries(VALUE_SETS))('passes lint --strict: %s', (_, values) => {
    const { ok, stdout, stderr } = helm(['lint', '--strict', CHART], values);
    expect(ok ? '' : stdout + stderr).toBe('');
  });

  it.each(Object.entries(VALUE_SETS))('names every object once, in a namespace, with its labels: %s', (_, values) => {
    const manifests = render(values, { apis: ['monitoring.coreos.com/v1'] });
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { metadata } of manifests) {
      expect(metadata.namespace).toBe('reins-system');
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/part-of': 'reins',
        'app.kubernetes.io/instance': 'reins',
      });
    }
  });

  it.each(Object.entries(VALUE_SETS))('sets only variables the controller knows, each once: %s', (_, values) => {
    const names = podOf(render(values)).container.env?.map(({ name }) => name) ?? [];
    expect(new Set(names).size).toBe(names.length);
    // HOME is the system's; REDIS_URL belongs to the rooms between controllers.
    expect(names.filter((name) => !['HOME', 'REDIS_URL', ...CONFIG_VARIABLES].includes(name))).toEqual([]);
  });

  it.each(Object.entries(VALUE_SETS))('runs the controller without any privilege: %s', (_, values) => {
    const { spec, container } = podOf(render(values));
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 });
    expect(spec.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources?.requests).toBeDefined();
    expect(container.resources?.limits?.memory).toBeDefined();
    const written = ['/var/lib/reins', '/tmp'];
    expect(container.volumeMounts?.filter(({ readOnly }) => !readOnly).map(({ mountPath }) => mountPath)).toEqual(
      written,
    );
  });

  it.each([
    [20_000, 5],
    [45_500, 0],
    [1, 300],
  ])('gives a controller that leaves in %d ms after %d s time to do so', (shutdownGraceMs, preStopSeconds) => {
    const manifests = render({ shutdownGraceMs, preStopSeconds });
    const { spec, container } = podOf(manifests);
    expect(environment(manifests).get('SHUTDOWN_GRACE_MS')?.value).toBe(String(shutdownGraceMs));
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(preStopSeconds + shutdownGraceMs / 1000);
    expect(container.lifecycle?.preStop?.exec?.command).toEqual(
      preStopSeconds === 0 ? undefined : ['sleep', String(preStopSeconds)],
    );
  });

  it('is one controller with the embedded database on a volume that stays, unless told otherwise', () => {
    const manifests = render();
    expect(kinds(manifests)).toEqual(
      ['Deployment', 'NetworkPolicy', 'NetworkPolicy', 'PersistentVolumeClaim', 'Role', 'RoleBinding', 'Secret'].concat(
        ['Service', 'ServiceAccount'],
      ),
    );
    const { spec } = only<V1Deployment>(manifests, 'Deployment');
    expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    const claim = only<V1PersistentVolumeClaim & Manifest>(manifests, 'PersistentVolumeClaim');
    expect(claim.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    expect(podOf(manifests).spec.volumes?.[0]).toEqual({
      name: 'data',
      persistentVolumeClaim: { claimName: 'reins-data' },
    });
    const secret = only<V1Secret & Manifest>(manifests, 'Secret');
    expect(Buffer.from(secret.data?.JWT_SECRET ?? '', 'base64').toString()).toMatch(/^[A-Za-z0-9]{48}$/);
    expect(secret.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    expect(environment(manifests).has('MONGODB_URI')).toBe(false);
  });

  it.each([
    ['two replicas', { replicas: 2 }],
    ['scaling', { autoscaling: { enabled: true } }],
    ['no Redis', { replicas: 2, mongodb: { uri: 'mongodb://db' } }],
    ['no MongoDB server', { replicas: 2, redis: { url: 'redis://cache' } }],
  ])('refuses several controllers that share nothing, and says what to do: %s', (_, values) => {
    expect(() => render(values)).toThrow(/More than one controller needs a MongoDB server and Redis: set mongodb\.uri/);
  });

  it.each([
    [{ mongodb: { uri: 'mongodb://db' } }, 'Recreate'],
    [{ redis: { url: 'redis://cache' } }, 'Recreate'],
    [{ mongodb: { uri: 'mongodb://db' }, redis: { url: 'redis://cache' } }, 'RollingUpdate'],
  ])('replaces a controller beside the new one only where both could run: %j → %s', (values, type) => {
    expect(only<V1Deployment>(render(values), 'Deployment').spec?.strategy?.type).toBe(type);
  });

  it('runs several controllers that are never all gone, with the addresses of what they share in a Secret', () => {
    const manifests = render(SEVERAL);
    const deployment = only<V1Deployment>(manifests, 'Deployment');
    expect(deployment.spec?.replicas).toBe(3);
    expect(deployment.spec?.strategy?.rollingUpdate?.maxUnavailable).toBe(0);
    const labels = deployment.spec?.selector.matchLabels;
    const budget = only<V1PodDisruptionBudget>(manifests, 'PodDisruptionBudget');
    expect(budget.spec).toEqual({ maxUnavailable: 1, selector: { matchLabels: labels } });
    expect(podOf(manifests).spec.topologySpreadConstraints?.[0]?.labelSelector?.matchLabels).toEqual(labels);
    expect(kinds(manifests)).not.toContain('PersistentVolumeClaim');
    const { data } = only<V1Secret>(manifests, 'Secret', 'reins-connections');
    expect(Buffer.from(data?.MONGODB_URI ?? '', 'base64').toString()).toBe('mongodb+srv://db.example/reins');
    expect(Buffer.from(data?.REDIS_URL ?? '', 'base64').toString()).toBe('rediss://cache.example:6380');
    expect(JSON.stringify(deployment)).not.toContain('db.example');
    expect(environment(manifests).get('PUBLIC_URL')?.value).toBe('https://reins.example.com');
  });

  it('uses existing Secrets and makes none then', () => {
    const manifests = render(EXISTING);
    expect(kinds(manifests)).not.toContain('Secret');
    const env = environment(manifests);
    const from = (name: string) => env.get(name)?.valueFrom?.secretKeyRef;
    expect(from('JWT_SECRET')).toEqual({ name: 'given', key: 'jwt' });
    expect(from('JWT_SECRET_PREVIOUS')).toEqual({ name: 'given', key: 'jwt-before' });
    expect(from('MONGODB_URI')).toEqual({ name: 'given', key: 'mongo' });
    expect(from('REDIS_URL')).toEqual({ name: 'given', key: 'redis' });
  });

  it('leaves the number of controllers to the autoscaler where there is one', () => {
    const manifests = render(EXISTING);
    expect(only<V1Deployment>(manifests, 'Deployment').spec).not.toHaveProperty('replicas');
    const { spec } = only<V1HorizontalPodAutoscaler>(manifests, 'HorizontalPodAutoscaler');
    expect(spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 5,
      scaleTargetRef: { kind: 'Deployment', name: 'reins' },
    });
  });

  it('may do in the namespace of the sessions what the launcher does, and nothing else', () => {
    const values = { sessions: { namespace: 'work', createNamespace: true } };
    const manifests = render(values);
    const role = only<V1Role & Manifest>(manifests, 'Role');
    const binding = only<V1RoleBinding & Manifest>(manifests, 'RoleBinding');
    const may = (role.rules ?? []).flatMap(({ apiGroups, resources, verbs }) =>
      (resources ?? []).flatMap((one) => verbs.map((verb) => [verb, apiGroups?.[0], one].filter(Boolean).join(' '))),
    );
    expect(may.sort()).toEqual(callsOfLauncher());
    expect([role.metadata.namespace, binding.metadata.namespace]).toEqual(['work', 'work']);
    expect(binding.subjects).toEqual([{ kind: 'ServiceAccount', name: 'reins', namespace: 'reins-system' }]);
    expect(binding.roleRef).toMatchObject({ kind: 'Role', name: role.metadata.name });
    expect(kinds(manifests).filter((kind) => kind.startsWith('Cluster'))).toEqual([]);
    const namespace = only<Manifest>(manifests, 'Namespace');
    expect(namespace.metadata.name).toBe('work');
    expect(namespace.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    expect(environment(manifests).get('KUBERNETES_NAMESPACE')?.value).toBe('work');
  });

  it('denies everything to and from session pods, and opens the controller on its port only', () => {
    const manifests = render({ ...SEVERAL, sessions: { namespace: 'work' } });
    const sessions = only<V1NetworkPolicy & Manifest>(manifests, 'NetworkPolicy', 'reins-sessions-default-deny');
    expect(sessions.metadata.namespace).toBe('work');
    expect(sessions.spec).toEqual({
      podSelector: { matchLabels: { 'app.kubernetes.io/managed-by': 'reins' } },
      policyTypes: ['Ingress', 'Egress'],
    });
    const controller = only<V1NetworkPolicy>(manifests, 'NetworkPolicy', 'reins').spec;
    expect(controller?.podSelector?.matchLabels).toEqual(
      only<V1Deployment>(manifests, 'Deployment').spec?.selector.matchLabels,
    );
    expect(controller?.ingress).toEqual([
      {
        ports: [{ protocol: 'TCP', port: 3305 }],
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
      },
    ]);
  });

  it('names the clusters in the order given, this one first, each with its kubeconfig mounted', () => {
    const manifests = render(SEVERAL);
    const text = environment(manifests).get('LAUNCHER_CLUSTERS')?.value ?? '';
    const clusters = ClusterList.parse(JSON.parse(text));
    expect(Object.keys(clusters)).toEqual(['local', 'west', 'east']);
    expect(clusters.local).toEqual({ namespace: 'reins-system', baseUrl: 'http://reins.reins-system.svc:3305' });
    expect(clusters.east).toEqual({ kubeconfig: '/etc/reins/clusters/east/kubeconfig', context: 'admin' });
    const { spec, container } = podOf(manifests);
    expect(container.volumeMounts).toContainEqual({
      name: 'cluster-east',
      mountPath: '/etc/reins/clusters/east',
      readOnly: true,
    });
    expect(spec.volumes).toContainEqual({
      name: 'cluster-east',
      secret: { secretName: 'reins-east', defaultMode: 0o440, items: [{ key: 'config', path: 'kubeconfig' }] },
    });
  });

  it('hands the defaults of session pods over as they are, whatever characters they have', () => {
    const pod = {
      image: "registry.example/it's:1",
      nodeSelector: { a: 'b' },
      tolerations: [{ key: 'x', value: 'true' }],
    };
    const value = environment(render({ sessions: { pod } })).get('KUBERNETES_POD')?.value ?? '';
    expect(PodSettings.parse(JSON.parse(value))).toEqual(pod);
  });

  it('writes numbers of config out in full', () => {
    const env = environment(render({ config: { EVENTS_MAX_BYTES_PER_SESSION: 123_456_789, LOG_LEVEL: 'warn' } }));
    expect(env.get('EVENTS_MAX_BYTES_PER_SESSION')?.value).toBe('123456789');
    expect(env.get('LOG_LEVEL')?.value).toBe('warn');
  });

  it('mounts a service account token, and makes a Role, only where sessions run in this cluster', () => {
    const external = render({ sessions: { launcher: 'external' } });
    expect(podOf(external).spec.automountServiceAccountToken).toBe(false);
    expect(kinds(external)).not.toContain('Role');
    expect(podOf(render()).spec.automountServiceAccountToken).toBe(true);
  });

  it('makes a ServiceMonitor only where the cluster knows it, with a token to read with', () => {
    expect(kinds(render(EXISTING))).not.toContain('ServiceMonitor');
    expect(kinds(render(EXISTING, { apis: ['monitoring.coreos.com/v1'] }))).toContain('ServiceMonitor');
    expect(() => render({ serviceMonitor: { enabled: true } })).toThrow(/tokenSecret\.name is missing/);
  });

  it.each([
    ['no place for sessions', { sessions: { local: false } }, /No session could start/],
    ['a namespace Helm makes', { sessions: { createNamespace: true } }, /other than the release's/],
    [
      'one name twice',
      { clusters: [{ name: 'local', kubeconfigSecret: { name: 'k' } }] },
      /Two clusters are called "local"/,
    ],
  ])('refuses %s', (_, values, message) => expect(() => render(values)).toThrow(message));
});
