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
 * help in guessing, and another token secret only means that bcrypt is asked once more.
 */
@Injectable()
export class SecretProofs {
  private readonly key: Buffer;

  constructor({ jwtSecret }: Config) {
    this.key = Buffer.from(hkdfSync('sha256', jwtSecret, '', 'reins secret proof', 32));
  }

  /** Hash and proof of an agent's new secret: together, or its first connect would cost bcrypt. */
  async secretFields(agentId: string, secret: string): Promise<SecretFields> {
    const secretHash = await hashSecret(secret);
    return { secretHash, secretProof: this.proofOf(agentId, secretHash, secret) };
  }

  proofOf(agentId: string, stored: string, secret: string): string {
    return createHmac('sha256', this.key).update(`${agentId}\0${stored}\0${secret}`).digest('base64');
  }

  /** In a time that does not depend on how much of it is right. */
  matches(proof: string, agentId: string, stored: string, secret: string): boolean {
    const expected = Buffer.from(this.proofOf(agentId, stored, secret));
    const given = Buffer.from(proof);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
