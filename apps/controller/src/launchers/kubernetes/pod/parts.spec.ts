import { podEnvironment } from './environment';
import { sessionPolicy } from './network-policy';
import { sessionSecret } from './secret';
import { podRequest } from './testing';
import { volumes, workspaceClaim } from './volumes';

describe('sessionSecret', () => {
  it('holds the identity over anything the environment says', () => {
    const environment = { ANTHROPIC_API_KEY: 'sk-secret', AIWM_AGENT_ID: 'someone else' };
    expect(sessionSecret(podRequest({ environment })).stringData).toEqual({
      ANTHROPIC_API_KEY: 'sk-secret',
      AIWM_BASE_URL: 'http://reins.reins-system.svc:3305',
      AIWM_AGENT_ID: 'a1',
      AIWM_AGENT_SECRET: 'the-agents-secret',
    });
  });
});

describe('the workspace', () => {
  it('is a claim that belongs to no Job, so that it outlives the pod', () => {
    const claim = workspaceClaim(podRequest({ settings: { workspace: { type: 'persistent', size: '5Gi' } } }));
    expect(claim.metadata?.name).toBe('sess-01jd3k5v9m7q2w4x8c6n0pbtzr');
    expect(claim.metadata?.labels).not.toHaveProperty('reins.dev/launch');
    expect(claim.metadata).not.toHaveProperty('ownerReferences');
    expect(claim.spec?.resources?.requests).toEqual({ storage: '5Gi' });
    expect(claim.spec).not.toHaveProperty('storageClassName');
  });

  it('is a limited empty folder where it need not outlive it', () => {
    const settings = { workspace: { type: 'ephemeral' as const, size: '1Gi' } };
    const [session] = volumes(podRequest({ settings }));
    expect(session).toEqual({ name: 'session', emptyDir: { sizeLimit: '1Gi' } });
  });
});

describe('sessionPolicy', () => {
  const egressOf = (...args: Parameters<typeof podRequest>) => sessionPolicy(podRequest(...args)).spec?.egress ?? [];

  it('lets nobody in, and out only to names, the controller and the internet', () => {
    const { spec } = sessionPolicy(podRequest());
    expect(spec?.podSelector).toEqual({ matchLabels: { 'reins.dev/session': 'sess-01jd3k5v9m7q2w4x8c6n0pbtzr' } });
    expect(spec?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec?.ingress).toEqual([]);
    const [names, controller, internet] = spec?.egress ?? [];
    expect(names?.ports?.map(({ port }) => port)).toEqual([53, 53]);
    expect(controller).toEqual({
      ports: [{ protocol: 'TCP', port: 3305 }],
      to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'reins-system' } } }],
    });
    expect(internet?.to?.[0]?.ipBlock?.except).toContain('169.254.0.0/16');
    expect(internet?.to?.[0]?.ipBlock?.except).toContain('10.0.0.0/8');
  });

  it('knows a controller by its address, also of version 6, or by its port alone', () => {
    const ports = (port: number) => [{ protocol: 'TCP', port }];
    expect(egressOf({ baseUrl: 'http://192.0.2.1:3305' })[1]).toEqual({
      ports: ports(3305),
      to: [{ ipBlock: { cidr: '192.0.2.1/32' } }],
    });
    expect(egressOf({ baseUrl: 'http://[2001:db8::1]:80' })[1]?.to?.[0]?.ipBlock?.cidr).toBe('2001:db8::1/128');
    expect(egressOf({ baseUrl: 'https://reins.example.com' })[1]).toEqual({ ports: ports(443) });
  });

  it('allows what the worker allows instead of the internet', () => {
    const egress = egressOf({
      settings: { egress: [{ cidr: '10.1.0.0/16', ports: [5432] }, { cidr: '10.2.0.0/16' }] },
    });
    expect(egress.slice(2)).toEqual([
      { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ protocol: 'TCP', port: 5432 }] },
      { to: [{ ipBlock: { cidr: '10.2.0.0/16' } }] },
    ]);
    expect(egressOf({ settings: { egress: [] } })).toHaveLength(2);
  });
});

describe('podEnvironment', () => {
  it('passes what is named, but nothing of this machine', () => {
    const own = { PATH: '/bin', HOME: '/root', OPENAI_API_KEY: 'k', OTHER: 'x' };
    expect(podEnvironment(own, ['PATH', 'HOME', 'OPENAI_API_KEY', 'MISSING'])).toEqual({ OPENAI_API_KEY: 'k' });
  });
});
