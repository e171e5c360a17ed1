import { VerificationCache } from './verification-cache';

describe('VerificationCache', () => {
  let now = 0;
  const cache = () => new VerificationCache({ maxEntries: 2, ttlMs: 1000, monotonic: () => now });

  beforeEach(() => {
    now = 0;
  });

  it('knows exactly the agent, secret and stored hash it was told', () => {
    const known = cache();
    known.add('a', 'secret', 'hash');
    expect(known.has('a', 'secret', 'hash')).toBe(true);
    expect(known.has('b', 'secret', 'hash')).toBe(false);
    expect(known.has('a', 'other', 'hash')).toBe(false);
  });

  it('forgets a secret with its hash', () => {
    const known = cache();
    known.add('a', 'secret', 'hash');
    expect(known.has('a', 'secret', 'hash after regenerate')).toBe(false);
  });

  it('forgets after a while', () => {
    const known = cache();
    known.add('a', 'secret', 'hash');
    now = 1000;
    expect(known.has('a', 'secret', 'hash')).toBe(false);
  });

  it('stays small, dropping the oldest', () => {
    const known = cache();
    for (const agent of ['a', 'b', 'a', 'c']) known.add(agent, 's', 'h');
    expect(known.size).toBe(2);
    expect(known.has('b', 's', 'h')).toBe(false);
    expect(known.has('a', 's', 'h')).toBe(true);
    expect(known.has('c', 's', 'h')).toBe(true);
  });
});
