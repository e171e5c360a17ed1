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
  constructor(
    private readonly jwt: JwtService,
    private readonly config: Config,
  ) {}

  /** Seconds a new token is valid. */
  get ttlSeconds(): number {
    return this.config.env.TOKEN_TTL_SECONDS;
  }

  signAgent(subject: AgentTokenSubject): Promise<string> {
    return this.jwt.signAsync(
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

  /** Throws token_expired or token_invalid. Only HS256 is accepted, so an unsigned token is not. */
  async verify(token: string): Promise<Claims> {
    try {
      const payload: unknown = await this.jwt.verifyAsync(token, { algorithms: ['HS256'] });
      return Claims.parse(payload);
    } catch (error) {
      const expired = error instanceof Error && error.name === 'TokenExpiredError';
      throw new ReinsError(expired ? 'token_expired' : 'token_invalid', { cause: error });
    }
  }
}
