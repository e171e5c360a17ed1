import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { systemRng } from '@reins/shared/util';
import { type OrgScope, orgScope } from '../../access/principal';
import { type HostDocument, HostsRepository } from '../../agents/hosts.repository';
import { Slots } from '../../agents/slots';
import { Bus } from '../../bus/bus';
import {
  type ExpectedLaunch,
  type FactListener,
  type HostRequest,
  type Launched,
  Launcher,
  type LaunchRequest,
  type StopRequest,
} from '../launcher.port';
import { hostOf } from './host-of';
import { type Host } from './host';
import { suitable } from './requirements';
import { ranked } from './selection';

/** How often a placement starts over because another controller was faster. */
const TRIES = 20;
/** Those take no session, now or later, until somebody changes them; a busy one is waited for. */
const CLOSED_STATUSES: ReadonlySet<string> = new Set(['suspended', 'inactive']);

interface Place {
  orgId: string;
  agentId: string;
  sessionId: string;
}

const keyOf = ({ agentId, sessionId }: Place): string => `${agentId}/${sessionId}`;

/**
 * Sessions on autonomous agents that are connected already: nothing is started, a host is chosen and one of its places
 * taken. The harness learns of it over its link.
 */
@Injectable()
export class ExternalLauncher extends Launcher {
  readonly name = 'external';
  readonly startsHarness = false;
  private readonly logger = new Logger('ExternalLauncher');
  /** One choice at a time sees the places of the one before, so that load spreads as the mode says. */
  private readonly turn = new Slots(1);
  private listener: FactListener = async () => undefined;
  /** Places that looked wrong at the last look. */
  private doubtful: ReadonlySet<string> = new Set();

  constructor(
    private readonly hosts: HostsRepository,
    private readonly bus: Bus,
  ) {
    super();
  }

  observe(listener: FactListener): void {
    this.listener = listener;
  }

  /** Throws agent_not_found, agent_unsuitable, or placement_ambiguous where `exact` finds several. */
  override async check(orgId: string, session: HostRequest): Promise<void> {
    const scope = orgScope(orgId);
    if (session.agentId !== null) return checkPinned(session, await this.hosts.get(scope, session.agentId));
    if (session.placement?.mode === 'exact') await this.candidates(scope, session);
  }

  launch(request: LaunchRequest): Promise<Launched> {
    return this.turn.run(() => this.place(request));
  }

  async stop(request: StopRequest): Promise<void> {
    const { orgId, sessionId, launchId, agentId, reason, final } = request;
    const released = await this.hosts.release(orgScope(orgId), sessionId);
    if (agentId !== null) this.bus.publish('session.unbound', { orgId, sessionId, agentId, reason, remove: final });
    if (released) this.bus.publish('host.available', { orgId });
    if (launchId === null) return;
    const unknown = { exitCode: null, signal: null };
    await this.listener({ orgId, sessionId, launchId, kind: 'unbound', ...unknown, message: reason });
  }

  /**
   * Frees places that are held for nobody, and counts sessions that lost theirs: what a crash may leave. Only what was so
   * at the look before as well, for what is just under way looks the same.
   */
  async reconcile(expected: readonly ExpectedLaunch[]): Promise<void> {
    const held = (await this.hosts.withSessions()).flatMap(({ _id, orgId, boundSessions }) =>
      boundSessions.map((sessionId) => ({ orgId, agentId: _id, sessionId })),
    );
    const wanted = expected.flatMap(({ orgId, sessionId, agentId }) =>
      agentId === null ? [] : [{ orgId, agentId, sessionId }],
    );
    const [heldKeys, wantedKeys] = [new Set(held.map(keyOf)), new Set(wanted.map(keyOf))];
    const stray = held.filter((place) => !wantedKeys.has(keyOf(place)));
    const missing = wanted.filter((place) => !heldKeys.has(keyOf(place)));
    const before = this.doubtful;
    this.doubtful = new Set([...stray, ...missing].map(keyOf));
    for (const place of stray.filter((doubtful) => before.has(keyOf(doubtful)))) await this.free(place);
    for (const place of missing.filter((doubtful) => before.has(keyOf(doubtful)))) {
      const { orgId, agentId, sessionId } = place;
      if (await this.hosts.restore(orgScope(orgId), agentId, sessionId)) {
        this.logger.warn(place, 'a session had lost its place on its host; it is counted again');
      }
    }
  }

  private async free(place: Place): Promise<void> {
    if (!(await this.hosts.release(orgScope(place.orgId), place.sessionId, place.agentId))) return;
    this.logger.warn(place, 'a place was held for a session that is not there; it is free');
    this.bus.publish('host.available', { orgId: place.orgId });
  }

  async close(): Promise<void> {
    await this.turn.run(async () => undefined);
  }

  private async place({ orgId, sessionId, session, assign }: LaunchRequest): Promise<Launched> {
    const scope = orgScope(orgId);
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await this.candidates(scope, session);
      if ('unmet' in found) return { waitingFor: found.unmet };
      const [host] = found.hosts;
      if (host === undefined) break;
      if (!(await this.hosts.claim(scope, host.id, sessionId, host.boundSessions.length))) continue;
      if (await assign(host.id)) return { agentId: host.id };
      await this.hosts.release(scope, sessionId, host.id);
      return { waitingFor: 'the session wants no host any more' };
    }
    return { waitingFor: 'the suitable agents changed while one of them was chosen; it is tried again' };
  }

  /** Best first. */
  private async candidates(scope: OrgScope, session: HostRequest): Promise<{ hosts: Host[] } | { unmet: string }> {
    const read = async (agents: Promise<HostDocument[]>) => {
      const now = Date.now();
      return suitable(
        (await agents).map((agent) => withoutOwnPlace(hostOf(agent, now), session.sessionId)),
        session,
      );
    };
    if (session.agentId !== null) {
      const agent = await this.hosts.get(scope, session.agentId);
      if (agent === undefined || agent.isDeleted) throw deleted(session.agentId);
      return read(Promise.resolve([agent]));
    }
    const found = await read(this.hosts.available(scope, session.cliType));
    if ('unmet' in found) return read(this.hosts.all(scope));
    return { hosts: ranked(found.hosts, session.placement?.mode ?? 'min_load', systemRng) };
  }
}

/** A session that has its place already, from a start that was cut off, does not stand in its own way. */
function withoutOwnPlace(host: Host, sessionId: string): Host {
  return { ...host, boundSessions: host.boundSessions.filter((id) => id !== sessionId) };
}

function checkPinned({ agentId, cliType }: HostRequest, agent: HostDocument | undefined): void {
  if (agent === undefined || agent.isDeleted) {
    throw new ReinsError('agent_not_found', { message: `Agent with ID ${agentId} not found` });
  }
  const refuse = (reason: string, message: string): never => {
    throw new ReinsError('agent_unsuitable', { message: `Agent '${agent._id}' ${message}`, details: { reason } });
  };
  if (agent.type !== 'autonomous') {
    refuse('managed', 'is managed: it serves the session it was made for, and no other');
  }
  const types = agent.harness?.supportedTypes;
  if (types !== undefined && !types.includes(cliType)) {
    refuse('type', `does not support '${cliType}'. Supported types: [${types.join(', ')}]`);
  }
  if (CLOSED_STATUSES.has(agent.status)) refuse('status', `is ${agent.status}`);
  if (!agent.acceptsSessions) refuse('disabled', 'is disabled for new sessions (acceptsSessions is false)');
}

function deleted(agentId: string): ReinsError {
  const message = `Agent '${agentId}', where the session has to run, does not exist any more`;
  return new ReinsError('agent_unsuitable', { message, details: { reason: 'deleted' } });
}
