import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config';
import { hashSecret } from './secrets';

/** What is stored of a secret that was just chosen or made. */
export interface SecretFields {
  secretHash: string;
  secretProof: string;
}

/**
 * Proofs that a secret was found right before, so that it costs bcrypt once in its life. A proof is stored beside the
 * hash it was checked against and bound to it; its key comes from the token secret, so that the database alone is no
 * help in guessing. Proofs made with a previous token secret still count; with a forgotten one, bcrypt is asked once more.
 */
@Injectable()
export class SecretProofs {
  private readonly key: Buffer;
  private readonly previousKeys: readonly Buffer[];

  constructor({ jwtSecret, env }: Config) {
    this.key = keyFrom(jwtSecret);
    this.previousKeys = env.JWT_SECRET_PREVIOUS.map(keyFrom);
  }

  /** Hash and proof of an agent's new secret: together, or its first connect would cost bcrypt. */
  async secretFields(agentId: string, secret: string): Promise<SecretFields> {
    const secretHash = await hashSecret(secret);
    return { secretHash, secretProof: this.proofOf(agentId, secretHash, secret) };
  }

  proofOf(agentId: string, stored: string, secret: string): string {
    return digest(this.key, agentId, stored, secret);
  }

  /** In a time that does not depend on how much of it is right. */
  matches(proof: string, agentId: string, stored: string, secret: string): boolean {
    return [this.key, ...this.previousKeys].some((key) => isSame(proof, digest(key, agentId, stored, secret)));
  }
}

function keyFrom(tokenSecret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', tokenSecret, '', 'reins secret proof', 32));
}

function digest(key: Buffer, agentId: string, stored: string, secret: string): string {
  return createHmac('sha256', key).update(`${agentId}\0${stored}\0${secret}`).digest('base64');
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
