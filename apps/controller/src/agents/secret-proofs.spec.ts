import { compare } from 'bcrypt';
import { Config, loadConfig } from '../config/config';
import { SecretProofs } from './secret-proofs';

const SECRET = 'a secret of an agent';

function proofs(jwtSecret = 'a token secret of these tests, long enough'): SecretProofs {
  return new SecretProofs(new Config(loadConfig({}, () => '').env, jwtSecret));
}

describe('SecretProofs', () => {
  it('gives hash and proof of a secret, and the proof speaks for the hash', async () => {
    const { secretHash, secretProof } = await proofs().secretFields('a', SECRET);
    expect(await compare(SECRET, secretHash)).toBe(true);
    expect(proofs().matches(secretProof, 'a', secretHash, SECRET)).toBe(true);
  });

  it('matches nothing but this secret of this agent beside this hash under this key', () => {
    const proof = proofs().proofOf('a', 'hash', SECRET);
    expect(proofs().matches(proof, 'a', 'hash', `${SECRET}x`)).toBe(false);
    expect(proofs().matches(proof, 'b', 'hash', SECRET)).toBe(false);
    expect(proofs().matches(proof, 'a', 'another hash', SECRET)).toBe(false);
    expect(proofs('another token secret, long enough too').matches(proof, 'a', 'hash', SECRET)).toBe(false);
    expect(proofs().matches('', 'a', 'hash', SECRET)).toBe(false);
  });
});
