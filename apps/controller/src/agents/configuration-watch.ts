import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { orgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { ListenAddress } from '../config/listen-address';
import { type DefinitionEdit, RecentEditsRepository } from '../definitions/recent-edits.repository';
import { Leadership } from '../replicas/leadership';
import { AgentConfigurationService } from './agent-configuration.service';
import { type AgentKey, AgentKeysRepository, type KeyPage } from './agent-keys.repository';
import { AgentsService } from './agents.service';
import { ConfigurationMarkRepository } from './configuration-mark.repository';
import { SessionConfigurationSource } from './session-configuration.port';

const SWEEP_EVERY_MS = 60_000;
/** Clocks of controllers differ, and an edit is dated before it is written: this much is looked at again. */
const OVERLAP_MS = 120_000;
const PAGE = 200;
/** Agents whose configuration is computed at the same time. */
const AT_ONCE = 20;

type Pages = (page: KeyPage) => Promise<AgentKey[]>;

/**
 * Brings edits of instructions, tools, workers, skills and system instructions to the agents that are configured from
 * them. An edit rings; a sweep finds the edits whose bell nobody heard, such as those of a controller that died just then.
 */
@Injectable()
export class ConfigurationWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('ConfigurationWatch');
  private loop: Interval | undefined;
  private through: Date | undefined;
  /** Agents being renewed, and whether an edit came since. */
  private readonly renewing = new Map<string, { again: boolean; done: Promise<boolean> }>();

  constructor(
    private readonly bus: Bus,
    private readonly address: ListenAddress,
    private readonly agents: AgentsService,
    private readonly keys: AgentKeysRepository,
    private readonly sessions: SessionConfigurationSource,
    private readonly configurations: AgentConfigurationService,
    private readonly edits: RecentEditsRepository,
    private readonly mark: ConfigurationMarkRepository,
    private readonly leadership: Leadership,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.subscribe(
      'definition.changed',
      async (edit) => {
        await this.renewAll(this.concerned(edit));
      },
      'here',
    );
    this.loop = startInterval({
      everyMs: SWEEP_EVERY_MS,
      jitter: 0.1,
      // Those nobody tells of edits look for them themselves.
      run: async (signal) => {
        if (this.leadership.isLeader() || !this.bus.isHeard) await this.sweep(signal);
      },
      onError: (error) =>
        this.logger.warn({ err: error }, 'a sweep over edited definitions failed; the next one follows'),
    });
    // Configurations name the controller's address, so the first sweep waits until that is known.
    void this.address.known.then(() => this.loop?.trigger());
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  /** Looks again at everything edited since the last sweep, of this controller or of one before it. */
  async sweep(signal?: AbortSignal): Promise<void> {
    const startedAt = new Date();
    const surroundings = this.configurations.surroundings;
    this.through ??= await this.mark.read(surroundings);
    const since = new Date(Math.max(0, this.through.getTime() - OVERLAP_MS));
    let renewed = 0;
    // From the beginning of time all agents are looked at anyway, whatever they are made from.
    if (since.getTime() > 0) {
      for (const edit of await this.edits.since(since)) {
        renewed += await this.renewAll(this.concerned(edit), signal);
        // Hosts are told of their sessions by this bell, and nobody may have rung it here.
        if (signal?.aborted !== true) this.bus.publish('definition.changed', edit);
      }
    }
    renewed += await this.renewAll((page) => this.keys.editedSince(since, page), signal);
    if (signal?.aborted === true) return;
    await this.mark.advance(startedAt, surroundings);
    this.through = startedAt;
    if (renewed > 0) this.logger.log({ renewed }, 'configurations renewed whose edit had not been heard of');
  }

  private concerned(edit: DefinitionEdit): Pages {
    const scope = orgScope(edit.orgId);
    switch (edit.kind) {
      case 'instruction':
        return (page) => this.keys.withInstruction(scope, edit.id, page);
      case 'tool':
        return (page) => this.keys.withTool(edit.id, page);
      case 'worker':
      case 'skill':
      case 'systemInstructions':
        return (page) => this.sessions.agentsConcernedBy(scope, edit, page);
    }
  }

  /** The number of agents that have another configuration now. */
  private async renewAll(pages: Pages, signal?: AbortSignal): Promise<number> {
    let renewed = 0;
    let after: string | undefined;
    do {
      const page = await pages({ after, limit: PAGE });
      for (let first = 0; first < page.length && signal?.aborted !== true; first += AT_ONCE) {
        const batch = page.slice(first, first + AT_ONCE);
        const results = await Promise.all(batch.map((key) => this.renew(key)));
        renewed += results.filter(Boolean).length;
      }
      after = page.length < PAGE ? undefined : page.at(-1)?._id;
    } while (after !== undefined && signal?.aborted !== true);
    return renewed;
  }

  /** Of many edits at once one run at a time computes, and once more after the last: they would only get in each other's way. */
  private renew(key: AgentKey): Promise<boolean> {
    const running = this.renewing.get(key._id);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const run = { again: true, done: Promise.resolve(false) };
    this.renewing.set(key._id, run);
    run.done = this.renewUntilQuiet(key, run).finally(() => this.renewing.delete(key._id));
    return run.done;
  }

  /** One agent that cannot be renewed does not keep the others waiting: its next connect computes it anew. */
  private async renewUntilQuiet({ orgId, _id }: AgentKey, run: { again: boolean }): Promise<boolean> {
    let renewed = false;
    try {
      while (run.again) {
        run.again = false;
        renewed = (await this.agents.refreshConfiguration(orgScope(orgId), _id)) || renewed;
      }
    } catch (error) {
      this.logger.warn({ err: error, agentId: _id }, 'the configuration of an agent could not be renewed');
    }
    return renewed;
  }
}
