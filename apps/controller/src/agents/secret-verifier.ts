import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Injectable } from '@nestjs/common';
import { type AgentDocument } from './agent.schema';
import { SecretProofs } from './secret-proofs';
import { hashSecret, isDigest, matchesSecret } from './secrets';
import { Slots } from './slots';

/** bcrypt runs on the four threads that files and names are looked up on too; some are left to them. */
const BCRYPT_SLOTS = Math.min(3, Math.max(2, availableParallelism() - 1));

type Proofs = Partial<Pick<AgentDocument, 'secretProof' | 'previousSecretProof'>>;
type Credentials = Pick<AgentDocument, '_id' | 'status' | 'secretHash' | 'previousSecretHash' | 'previousSecretUntil'> &
  Proofs;

/** `learned`: what to store beside the hash, so that this secret never costs bcrypt again. */
export type SecretVerdict = { right: false } | { right: true; learned: Proofs };

/** A stored form of a secret, with its proof if there is one, and where a new proof belongs. */
interface StoredSecret {
  hash: string;
  proof: string | undefined;
  field: keyof Proofs;
}

const WRONG: SecretVerdict = { right: false };
const RIGHT: SecretVerdict = { right: true, learned: {} };

/** Checks connect secrets so that a refusal costs the same whatever its reason, and a repeated success costs nothing. */
@Injectable()
export class SecretVerifier {
  private readonly slots = new Slots(BCRYPT_SLOTS);
  /** Compared where there is nothing to compare with. */
  private readonly dummy = hashSecret(randomBytes(32).toString('hex'));
  /** Comparisons under way, by what they would prove. */
  private readonly underWay = new Map<string, Promise<SecretVerdict>>();

  constructor(private readonly proofs: SecretProofs) {}

  /**
   * Whether the secret is one of the agent's. `admit` is called when a costly check is about to begin, and may throw: of
   * many attempts at once, those that waited are judged by what became of the first. A suspended agent is refused
   * whatever its secret, so it costs what a wrong one costs.
   */
  async verify(agent: Credentials | undefined, secret: string, admit: () => void): Promise<SecretVerdict> {
    const stored = agent === undefined ? [] : storedSecrets(agent, Date.now());
    const proven = agent === undefined ? undefined : await this.provenBy(agent._id, stored, secret);
    if (proven !== undefined && agent?.status !== 'suspended') return proven;
    const costly = proven !== undefined ? [] : stored.filter(({ hash }) => !isDigest(hash));
    const [first] = costly;
    if (agent === undefined || first === undefined) {
      await this.slots.run(async () => {
        admit();
        await matchesSecret(secret, await this.dummy);
      });
      return proven ?? WRONG;
    }

    const key = this.proofs.proofOf(agent._id, first.hash, secret);
    const earlier = this.underWay.get(key);
    if (earlier !== undefined) {
      const verdict = await earlier;
      if (verdict.right) return verdict;
    }
    const comparing = this.slots.run(() => {
      admit();
      return this.compare(agent._id, costly, secret);
    });
    this.underWay.set(key, comparing);
    try {
      return await comparing;
    } finally {
      if (this.underWay.get(key) === comparing) this.underWay.delete(key);
    }
  }

  /** By a digest or a proof, which cost next to nothing. A proof made with a previous key is made anew. */
  private async provenBy(
    agentId: string,
    stored: readonly StoredSecret[],
    secret: string,
  ): Promise<SecretVerdict | undefined> {
    for (const { hash, proof, field } of stored) {
      if (isDigest(hash) && (await matchesSecret(secret, hash))) return RIGHT;
      if (proof === undefined || !this.proofs.matches(proof, agentId, hash, secret)) continue;
      const current = this.proofs.proofOf(agentId, hash, secret);
      return proof === current ? RIGHT : { right: true, learned: { [field]: current } };
    }
    return undefined;
  }

  private async compare(agentId: string, stored: readonly StoredSecret[], secret: string): Promise<SecretVerdict> {
    const matches = await Promise.all(stored.map(({ hash }) => matchesSecret(secret, hash)));
    const right = stored.find((_, index) => matches[index]);
    if (right === undefined) return WRONG;
    return { right: true, learned: { [right.field]: this.proofs.proofOf(agentId, right.hash, secret) } };
  }
}

function storedSecrets(agent: Credentials, now: number): StoredSecret[] {
  const { secretHash, secretProof, previousSecretHash, previousSecretProof, previousSecretUntil } = agent;
  const stored: StoredSecret[] = [];
  if (secretHash !== undefined) stored.push({ hash: secretHash, proof: secretProof, field: 'secretProof' });
  const overlaps = previousSecretUntil !== undefined && previousSecretUntil.getTime() > now;
  if (previousSecretHash !== undefined && overlaps) {
    stored.push({ hash: previousSecretHash, proof: previousSecretProof, field: 'previousSecretProof' });
  }
  return stored;
}
