import { idFloor, idPattern, newId, newObjectId, OBJECT_ID_PATTERN } from './ids';

describe('ids', () => {
  it('carry the prefix of their kind and match their own pattern only', () => {
    expect(newId('session')).toMatch(idPattern('session'));
    expect(newId('turn')).toMatch(/^req-[0-9a-z]{26}$/);
    expect(newId('turn')).not.toMatch(idPattern('session'));
  });

  it('sort by creation time', () => {
    const ids = [1, 1000, 1_700_000_000_000, 1_700_000_000_001].map((at) => newId('session', at));
    expect([...ids].sort()).toEqual(ids);
  });

  it('of a time on lie above its floor, earlier ones below', () => {
    const now = 1_700_000_000_000;
    expect(newId('agentEvent', now) > idFloor('agentEvent', now)).toBe(true);
    expect(newId('agentEvent', now - 1) < idFloor('agentEvent', now)).toBe(true);
  });

  it('never repeat within one millisecond', () => {
    expect(new Set(Array.from({ length: 5000 }, () => newId('turn', 1))).size).toBe(5000);
  });

  it('agents have 24 hexadecimal digits', () => {
    expect(newObjectId()).toMatch(OBJECT_ID_PATTERN);
    expect(newObjectId()).not.toBe(newObjectId());
  });
});
