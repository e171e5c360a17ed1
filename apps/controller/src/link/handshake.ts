import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { LinkAuth } from '@reins/shared/link/frames';
import { LINK } from '@reins/shared/link/limits';
import { Authenticator } from '../access/authenticator';
import { orgScope } from '../access/principal';
import { AgentLinkService } from '../agents/agent-link.service';
import { Config } from '../config/config';
import { type ConnectionData } from './connections';
import { Places } from './places';

const RETRY_AFTER_MS = 500;
/** How long a handshake waits for its turn before it is told to come back. */
const PATIENCE_MS = 250;

/** Lets a socket in: the token of a living agent, an incarnation that is its newest, a protocol both speak. */
@Injectable()
export class Handshake {
  private readonly places: Places;

  constructor(
    private readonly authenticator: Authenticator,
    private readonly agents: AgentLinkService,
    { env }: Config,
  ) {
    this.places = new Places(env.MAX_HANDSHAKES, PATIENCE_MS);
  }

  /** Throws the error the harness gets as `connect_error` with its code in `data`. */
  async admit(auth: unknown): Promise<ConnectionData> {
    const parsed = LinkAuth.safeParse(auth);
    if (!parsed.success) {
      throw new ReinsError('unauthenticated', { message: 'auth must carry token, incarnation and protocol' });
    }
    const { token, incarnation, protocol } = parsed.data;
    if (protocol !== LINK.protocol) throw new ReinsError('protocol_unsupported');
    if (!(await this.places.enter())) throw new ReinsError('link_busy', { retryAfterMs: RETRY_AFTER_MS });
    try {
      const agent = await this.authenticator.authenticateAgent(token);
      await this.agents.admitIncarnation(orgScope(agent.orgId), agent.agentId, incarnation);
      return { agent, incarnation };
    } finally {
      this.places.leave();
    }
  }
}
