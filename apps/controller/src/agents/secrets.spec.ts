import { digestSecret, hashSecret, isDigest, matchesSecret, newSecret } from './secrets';

describe('secrets', () => {
  it('are 64 hexadecimal digits and never the same', () => {
    expect(newSecret()).toMatch(/^[0-9a-f]{64}$/);
    expect(newSecret()).not.toBe(newSecret());
  });

  it('are hashed by bcrypt with cost 10 and recognised', async () => {
    const stored = await hashSecret('correct horse battery');
    expect(stored).toMatch(/^\$2b\$10\$/);
    expect(await matchesSecret('correct horse battery', stored)).toBe(true);
    expect(await matchesSecret('correct horse batterz', stored)).toBe(false);
    expect(await matchesSecret('', stored)).toBe(false);
  });

  it('are not matched by what bcrypt would cut off', async () => {
    const secret = 'a'.repeat(72);
    const stored = await hashSecret(secret);
    expect(await matchesSecret(secret, stored)).toBe(true);
    expect(await matchesSecret(`${secret}b`, stored)).toBe(false);
  });

  it('are recognised by their digest', async () => {
    const secret = newSecret();
    expect(isDigest(digestSecret(secret))).toBe(true);
    expect(await matchesSecret(secret, digestSecret(secret))).toBe(true);
    expect(await matchesSecret(newSecret(), digestSecret(secret))).toBe(false);
  });

  it('match nothing where the stored form is damaged', async () => {
    expect(await matchesSecret('x', 'sha256$')).toBe(false);
    expect(await matchesSecret('x', 'sha256$abc')).toBe(false);
    expect(await matchesSecret('x', 'garbage')).toBe(false);
  });
});
