import { SecretVerifier } from './secret-verifier';
import { digestSecret, hashSecret, newSecret } from './secrets';

const SECRET = 'a secret of an agent';

describe('SecretVerifier', () => {
  const verifier = new SecretVerifier();
  let stored: string;

  beforeAll(async () => {
    stored = await hashSecret(SECRET);
  });

  /** The answer, and how many costly comparisons it took. */
  const verify = async (
    agent: Parameters<SecretVerifier['verify']>[0],
    secret = SECRET,
  ): Promise<[boolean, number]> => {
    let costly = 0;
    const right = await verifier.verify(agent, secret, () => void costly++);
    return [right, costly];
  };

  it('compares once for every refusal, whatever its reason', async () => {
    const minted = digestSecret(newSecret());
    expect(await verify(undefined)).toEqual([false, 1]);
    expect(await verify({ _id: 'no-secret' })).toEqual([false, 1]);
    expect(await verify({ _id: 'a', secretHash: stored }, 'wrong')).toEqual([false, 1]);
    expect(await verify({ _id: 'a', secretHash: minted }, 'wrong')).toEqual([false, 1]);
  });

  it('compares once for the first success and never again', async () => {
    const agent = { _id: 'storm', secretHash: stored };
    expect(await verify(agent)).toEqual([true, 1]);
    const storm = await Promise.all(Array.from({ length: 100 }, () => verify(agent)));
    expect(storm.every(([right, costly]) => right && costly === 0)).toBe(true);
  });

  it('hardly compares when many come at once for the first time', async () => {
    const agent = { _id: 'first storm', secretHash: stored };
    const storm = await Promise.all(Array.from({ length: 100 }, () => verify(agent)));
    expect(storm.every(([right]) => right)).toBe(true);
    expect(storm.reduce((sum, [, costly]) => sum + costly, 0)).toBeLessThanOrEqual(3);
  });

  it('never compares for a secret the controller has minted', async () => {
    const secret = newSecret();
    expect(await verify({ _id: 'm', secretHash: digestSecret(secret) }, secret)).toEqual([true, 0]);
  });

  it('forgets what it knew when the stored hash is another', async () => {
    expect(await verify({ _id: 'r', secretHash: stored })).toEqual([true, 1]);
    expect(await verify({ _id: 'r', secretHash: await hashSecret('regenerated secret') })).toEqual([false, 1]);
  });

  it('takes the previous secret until its time is over', async () => {
    const secretHash = await hashSecret('the new secret');
    const overlapping = (ms: number) => ({
      _id: 'o',
      secretHash,
      previousSecretHash: stored,
      previousSecretUntil: new Date(Date.now() + ms),
    });
    expect(await verify(overlapping(60_000))).toEqual([true, 1]);
    expect(await verify(overlapping(60_000), 'the new secret')).toEqual([true, 1]);
    expect(await verify(overlapping(-1))).toEqual([false, 1]);
  });

  it('is stopped by a refused admission before it compares', async () => {
    const refuse = () => {
      throw new Error('too many');
    };
    await expect(verifier.verify({ _id: 'x', secretHash: stored }, SECRET, refuse)).rejects.toThrow('too many');
  });
});
