import { Config, loadConfig } from '../config/config';
import { type AgentDocument } from './agent.schema';
import { SecretProofs } from './secret-proofs';
import { SecretVerifier } from './secret-verifier';
import { digestSecret, hashSecret, newSecret } from './secrets';

const SECRET = 'a secret of an agent';

describe('SecretVerifier', () => {
  const proofs = new SecretProofs(new Config(loadConfig({}, () => '').env, 'a token secret, long enough for tests'));
  const verifier = new SecretVerifier(proofs);
  let stored: string;

  beforeAll(async () => {
    stored = await hashSecret(SECRET);
  });

  const agent = (_id: string, more: Partial<AgentDocument> = {}) => ({ _id, status: 'active' as const, ...more });

  /** The verdict, and how many costly comparisons it took. */
  const verify = async (
    of: Parameters<SecretVerifier['verify']>[0],
    secret = SECRET,
  ): Promise<[Awaited<ReturnType<SecretVerifier['verify']>>, number]> => {
    let costly = 0;
    const verdict = await verifier.verify(of, secret, () => void costly++);
    return [verdict, costly];
  };
  const wrong = { right: false };
  const right = (learned: object = {}) => ({ right: true, learned });
  const proof = (id: string, hash = stored, secret = SECRET) => proofs.proofOf(id, hash, secret);

  it('compares once for every refusal, whatever its reason', async () => {
    const minted = digestSecret(newSecret());
    const proven = agent('s', { secretHash: stored, secretProof: proof('s'), status: 'suspended' });
    expect(await verify(undefined)).toEqual([wrong, 1]);
    expect(await verify(agent('no-secret'))).toEqual([wrong, 1]);
    expect(await verify(agent('a', { secretHash: stored }), 'wrong')).toEqual([wrong, 1]);
    expect(await verify(agent('a', { secretHash: minted }), 'wrong')).toEqual([wrong, 1]);
    expect(await verify(agent('a', { secretHash: stored, secretProof: proof('a') }), 'wrong')).toEqual([wrong, 1]);
    expect(await verify(proven, 'wrong')).toEqual([wrong, 1]);
    expect(await verify(proven)).toEqual([right(), 1]);
  });

  it('compares once for the first success and learns the proof that spares all others', async () => {
    const [verdict, costly] = await verify(agent('storm', { secretHash: stored }));
    expect(costly).toBe(1);
    expect(verdict).toEqual(right({ secretProof: proof('storm') }));
    const known = agent('storm', { secretHash: stored, secretProof: proof('storm') });
    expect(await verify(known)).toEqual([right(), 0]);
  });

  it('compares once when many come at once for the first time', async () => {
    const first = agent('first storm', { secretHash: stored });
    const storm = await Promise.all(Array.from({ length: 100 }, () => verify(first)));
    expect(storm.every(([verdict]) => verdict.right)).toBe(true);
    expect(storm.reduce((sum, [, costly]) => sum + costly, 0)).toBe(1);
  });

  it('never compares for a secret the controller has minted', async () => {
    const secret = newSecret();
    expect(await verify(agent('m', { secretHash: digestSecret(secret) }), secret)).toEqual([right(), 0]);
  });

  it('gives nothing for a proof of another hash, another agent or another key', async () => {
    const secretHash = await hashSecret('regenerated secret');
    expect(await verify(agent('r', { secretHash, secretProof: proof('r') }))).toEqual([wrong, 1]);
    const foreign = agent('r', { secretHash: stored, secretProof: proof('q') });
    expect(await verify(foreign)).toEqual([right({ secretProof: proof('r') }), 1]);
  });

  it('makes a proof of a previous token secret anew, without comparing', async () => {
    const { env } = loadConfig({ JWT_SECRET_PREVIOUS: 'an older token secret that is long enough' }, () => '');
    const renewed = new SecretProofs(new Config(env, 'a token secret, long enough for tests'));
    const older = new SecretProofs(new Config(env, 'an older token secret that is long enough'));
    const secretProof = older.proofOf('p', stored, SECRET);
    const refuse = () => {
      throw new Error('compared');
    };
    const verdict = await new SecretVerifier(renewed).verify(
      agent('p', { secretHash: stored, secretProof }),
      SECRET,
      refuse,
    );
    expect(verdict).toEqual(right({ secretProof: proof('p') }));
  });

  it('takes the previous secret until its time is over', async () => {
    const secretHash = await hashSecret('the new secret');
    const overlapping = (ms: number, more: Partial<AgentDocument> = {}) =>
      agent('o', { secretHash, previousSecretHash: stored, previousSecretUntil: new Date(Date.now() + ms), ...more });
    expect(await verify(overlapping(60_000))).toEqual([right({ previousSecretProof: proof('o') }), 1]);
    expect(await verify(overlapping(60_000, { previousSecretProof: proof('o') }))).toEqual([right(), 0]);
    const renewed = right({ secretProof: proof('o', secretHash, 'the new secret') });
    expect(await verify(overlapping(60_000), 'the new secret')).toEqual([renewed, 1]);
    expect(await verify(overlapping(-1, { previousSecretProof: proof('o') }))).toEqual([wrong, 1]);
  });

  it('is stopped by a refused admission before it compares', async () => {
    const refuse = () => {
      throw new Error('too many');
    };
    await expect(verifier.verify(agent('x', { secretHash: stored }), SECRET, refuse)).rejects.toThrow('too many');
  });
});
