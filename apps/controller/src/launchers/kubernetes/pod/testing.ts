import { type PodRequest } from './pod-request';

/** A request as specs need it, with what one of them is about. */
export function podRequest(more: Partial<PodRequest> = {}): PodRequest {
  return {
    orgId: 'org 1',
    sessionId: 'sess-01jd3k5v9m7q2w4x8c6n0pbtzr',
    workerId: 'wk-1',
    launchId: 'run-01jd3k5v9m7q2w4x8cabcdef',
    installation: 'ins-1',
    image: 'registry.example/harness:1',
    settings: {},
    baseUrl: 'http://reins.reins-system.svc:3305',
    environment: { ANTHROPIC_API_KEY: 'sk-secret' },
    credentials: { agentId: 'a1', secret: 'the-agents-secret' },
    deadlineSeconds: 900,
    ...more,
  };
}
