import { createSecretKey } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { ReinsError } from '@reins/shared/errors';
import { z } from 'zod';
import { Config } from '../config/config';

/** Claims of every token Reins accepts; AIWM's names. Unknown claims are kept out. */
const Claims = z.object({
  sub: z.string().min(1),
  username: z.string().optional(),
  roles: z.array(z.string()).default([]),
  orgId: z.string().default(''),
  agentId: z.string().default(''),
  userId: z.string().default(''),
  type: z.string().optional(),
  /** Token version: an agent's token ends when its agent's version moves on. */
  tv: z.number().int().optional(),
  /** Names the stored row of a token that can be revoked by itself. */
  jti: z.string().optional(),
  /** Seconds, as JWT has them. */
  iat: z.number().optional(),
  exp: z.number().optional(),
});
export type Claims = z.infer<typeof Claims>;

export interface AgentTokenSubject {
  agentId: string;
  orgId: string;
  status: string;
  role: string;
  tokenVersion: number;
}

/** Signs and verifies HS256 tokens with AIWM's claims. */
@Injectable()
export class TokenService {
  private readonly signer: JwtService;
  private readonly verifiers: readonly JwtService[];

  constructor(private readonly config: Config) {
    this.signer = keyed(config.jwtSecret);
    this.verifiers = [this.signer, ...config.env.JWT_SECRET_PREVIOUS.map(keyed)];
  }

  /** Seconds a new token is valid. */
  get ttlSeconds(): number {
    return this.config.env.TOKEN_TTL_SECONDS;
  }

  signAgent(subject: AgentTokenSubject): string {
    return this.signer.sign(
      {
        sub: subject.agentId,
        username: `agent:${subject.agentId}`,
        status: subject.status,
        roles: [subject.role],
        orgId: subject.orgId,
        groupId: '',
        agentId: subject.agentId,
        userId: '',
        type: 'agent',
        tv: subject.tokenVersion,
      },
      { expiresIn: this.ttlSeconds },
    );
  }

  /** A token that its stored row, `tokenId`, can end before its time. */
  signNode(
    { nodeId, orgId, tokenId }: { nodeId: string; orgId: string; tokenId: string },
    expiresInSeconds: number,
  ): string {
    const claims = { sub: nodeId, type: 'node', nodeId, orgId, roles: [] };
    return this.signer.sign(claims, { expiresIn: expiresInSeconds, jwtid: tokenId });
  }

  /** Names a warm pod and nothing else: it belongs to no organisation, and counts while the pod waits. */
  signPool(warmPodId: string, expiresInSeconds: number): string {
    return this.signer.sign({ sub: warmPodId, type: 'pool', roles: [] }, { expiresIn: expiresInSeconds });
  }

  /**
   * Throws token_expired or token_invalid. Only HS256 is accepted, so an unsigned token is not. A token may be signed
   * with the secret or, after a change of it, with one of the previous ones.
   */
  verify(token: string): Claims {
    let failure: unknown;
    for (const verifier of this.verifiers) {
      try {
        const payload: unknown = verifier.verify(token, { algorithms: ['HS256'] });
        return Claims.parse(payload);
      } catch (error) {
        failure = error;
        if (!isForeignSignature(error)) break;
      }
    }
    const expired = failure instanceof Error && failure.name === 'TokenExpiredError';
    throw new ReinsError(expired ? 'token_expired' : 'token_invalid', { cause: failure });
  }
}

/** With a key object: a string would be tried as a private key first, each time anew. */
function keyed(secret: string): JwtService {
  return new JwtService({ secret: createSecretKey(Buffer.from(secret)), signOptions: { algorithm: 'HS256' } });
}

/** Signed with another secret: all other faults of a token do not go away with the next one. */
function isForeignSignature(error: unknown): boolean {
  return error instanceof Error && error.message === 'invalid signature';
}
