import { compare } from 'bcrypt';
import { Config, loadConfig } from '../config/config';
import { SecretProofs } from './secret-proofs';

const SECRET = 'a secret of an agent';
const TOKEN_SECRET = 'a token secret of these tests that is long enough';

function proofs(jwtSecret = TOKEN_SECRET, previous = ''): SecretProofs {
  const { env } = loadConfig({ JWT_SECRET_PREVIOUS: previous }, () => '');
  return new SecretProofs(new Config(env, jwtSecret));
}

describe('SecretProofs', () => {
  it('gives hash and proof of a secret, and the proof speaks for the hash', async () => {
    const { secretHash, secretProof } = await proofs().secretFields('a', SECRET);
    expect(await compare(SECRET, secretHash)).toBe(true);
    expect(proofs().matches(secretProof, 'a', secretHash, SECRET)).toBe(true);
  });

  it('still matches after the token secret was changed, as long as the previous one is known', () => {
    const proof = proofs().proofOf('a', 'hash', SECRET);
    const changed = proofs('another token secret, long enough too', TOKEN_SECRET);
    expect(changed.matches(proof, 'a', 'hash', SECRET)).toBe(true);
    expect(changed.matches(proof, 'a', 'hash', 'wrong')).toBe(false);
    expect(changed.proofOf('a', 'hash', SECRET)).not.toBe(proof);
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
