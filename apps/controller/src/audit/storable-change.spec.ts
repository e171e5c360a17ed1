import { storableChange } from './storable-change';

describe('storableChange', () => {
  it('keeps what differs, as JSON has it', () => {
    const at = new Date('2026-01-01T00:00:00.000Z');
    expect(storableChange({ name: 'a', tags: ['x'], gone: 1, at }, { name: 'b', tags: ['x'], come: null, at })).toEqual(
      {
        before: { name: 'a', gone: 1 },
        after: { name: 'b', come: null },
      },
    );
  });

  it('keeps a thing that came or went as a whole', () => {
    expect(storableChange(null, { name: 'a' })).toEqual({ before: null, after: { name: 'a' } });
    expect(storableChange({ name: 'a' }, undefined)).toEqual({ before: { name: 'a' }, after: null });
  });

  it('masks secrets, also inside of texts', () => {
    const key = `rk_${'A'.repeat(43)}`;
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
    const hash = `$2b$10$${'a'.repeat(53)}`;
    const list = [key, `rv_${'B'.repeat(43)}`, `re_${'-_C'.repeat(15)}`];
    const after = { settings: { discord_token: 'd' }, text: `use ${key} or ${jwt}, not ${hash}`, list };
    const { after: stored } = storableChange(null, after);
    expect(stored).toEqual({
      settings: { discord_token: '***' },
      text: 'use *** or ***, not ***',
      list: ['***', '***', '***'],
    });
  });

  it('shows that a secret changed without showing it', () => {
    const change = storableChange({ settings: { token: 'old' } }, { settings: { token: 'new' } });
    expect(change).toEqual({ before: { settings: { token: '***' } }, after: { settings: { token: '***' } } });
  });

  it('cuts long texts and says how long they were', () => {
    const { after } = storableChange(null, { agentMd: 'x'.repeat(5_000) });
    expect(String(after?.['agentMd'])).toMatch(/^x{4096}… \(5000 characters\)$/);
  });
});
