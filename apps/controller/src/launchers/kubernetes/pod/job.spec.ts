import { sessionJob } from './job';
import { podRequest } from './testing';

const specOf = (...args: Parameters<typeof podRequest>) => sessionJob(podRequest(...args)).spec?.template.spec;

describe('sessionJob', () => {
  it('runs its pod once, with a deadline, and is cleaned up after', () => {
    const { spec, metadata } = sessionJob(podRequest());
    expect(spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 900, ttlSecondsAfterFinished: 600 });
    expect(metadata?.name).toBe('sess-01jd3k5v9m7q2w4x8c6n0pbtzr-abcdef');
    expect(metadata?.name?.length).toBeLessThanOrEqual(63);
  });

  it('holds neither the secret nor a key', () => {
    const text = JSON.stringify(sessionJob(podRequest()));
    expect(text).not.toContain('the-agents-secret');
    expect(text).not.toContain('sk-secret');
  });

  it('meets every rule of the restricted Pod Security Standard', () => {
    const spec = specOf();
    expect(spec?.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec?.containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(spec?.volumes?.every((volume) => volume.hostPath === undefined)).toBe(true);
    expect(spec).not.toHaveProperty('hostNetwork');
    expect(spec?.automountServiceAccountToken).toBe(false);
  });

  it('takes over what the worker says of the pod, and nothing else', () => {
    const settings = {
      nodeSelector: { pool: 'agents' },
      tolerations: [{ key: 'spot', operator: 'Exists' as const, effect: 'NoSchedule' as const }],
      priorityClassName: 'low',
      runtimeClassName: 'gvisor',
      imagePullSecrets: ['registry'],
      terminationGracePeriodSeconds: 90,
    };
    expect(specOf({ settings })).toMatchObject({ ...settings, imagePullSecrets: [{ name: 'registry' }] });
    expect(specOf()).not.toHaveProperty('nodeSelector');
    expect(specOf()?.terminationGracePeriodSeconds).toBe(30);
  });

  it('labels the pod with whose it is, whatever the organisation is called', () => {
    const { metadata } = sessionJob(podRequest()).spec?.template ?? {};
    expect(metadata?.labels).toMatchObject({
      'app.kubernetes.io/managed-by': 'reins',
      'reins.dev/org': 'org_1',
      'reins.dev/session': 'sess-01jd3k5v9m7q2w4x8c6n0pbtzr',
      'reins.dev/launch': 'run-01jd3k5v9m7q2w4x8cabcdef',
    });
    expect(metadata?.annotations?.['reins.dev/org']).toBe('org 1');
  });
});

describe('the container', () => {
  it('has limits unless the worker sets others, one by one', () => {
    const settings = { resources: { limits: { memory: '8Gi' }, requests: { cpu: '1' } } };
    expect(specOf({ settings })?.containers[0]?.resources).toEqual({
      requests: { cpu: '1', memory: '256Mi' },
      limits: { cpu: '2', memory: '8Gi', 'ephemeral-storage': '4Gi' },
    });
  });

  it('is told where its folders are, and takes the rest from its Secret', () => {
    const container = specOf()?.containers[0];
    const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    expect(env).toMatchObject({
      REINS_WORKSPACE: '/session/workspace',
      REINS_STATE_DIR: '/session/state',
      HOME: '/session/home',
      REINS_MANAGED: 'true',
    });
    expect(container?.envFrom).toEqual([{ secretRef: { name: 'sess-01jd3k5v9m7q2w4x8c6n0pbtzr-abcdef' } }]);
  });
});
