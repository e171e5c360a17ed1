import { areaOf } from './areas';

describe('areaOf', () => {
  it.each([
    ['/sessions', 'sessions'],
    ['/sessions/sess-1/events', 'sessions'],
    ['/operations/op-1', 'sessions'],
    ['/agents/1/config', 'agents'],
    ['/nodes', 'agents'],
    ['/admin/enrollment-tokens', 'agents'],
    ['/instructions/1', 'definitions'],
    ['/tools', 'definitions'],
    ['/admin/workers', 'definitions'],
    ['/admin/api-keys', 'access'],
    ['/admin/audit', 'access'],
    ['/metrics', 'access'],
    ['/sessionsx', 'access'],
    ['/', 'access'],
  ])('%s is %s', (path, area) => {
    expect(areaOf(path)).toBe(area);
  });
});
