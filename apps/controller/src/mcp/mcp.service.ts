import { Injectable, Logger } from '@nestjs/common';
import { storedJson } from '@reins/shared/api/stored-json';
import { type ToolView } from '@reins/shared/api/tools';
import { z } from 'zod';
import { type AgentPrincipal, scopeOf } from '../access/principal';
import { AgentsRepository } from '../agents/agents.repository';
import { type ToolDocument } from '../definitions/tools/tool.schema';
import { ToolsService } from '../definitions/tools/tools.service';
import { VERSION } from '../health/version';
import {
  answerError,
  answerResult,
  readMessage,
  RPC_ERRORS,
  type RpcAnswer,
  RpcError,
  type RpcRequest,
} from './json-rpc';
import { argumentProblems } from './tool-arguments';
import { ToolCaller } from './tool-caller';
import { callableNames } from './tool-names';
import { UnfitArguments } from './tool-request';

/** The protocol's versions this server speaks, which do not differ in what it uses. The first is its own. */
const PROTOCOL_VERSIONS = ['2025-11-25', '2025-06-18'] as const;

const InitializeParams = z.object({ protocolVersion: z.string().optional() }).default({});
const CallParams = z.object({
  name: z.string().min(1),
  arguments: storedJson({ maxDepth: 64, maxBytes: 1024 * 1024, anyKeys: true }).default({}),
});

/** Who asks, with what, and until when. */
export interface McpCaller {
  agent: AgentPrincipal;
  token: string;
  signal: AbortSignal;
}

/**
 * MCP for agents: the `api` tools each may use. Nothing is kept between two messages: who asks is known by the token of
 * the message, and what it may use is read anew, so that no agent sees or acts as another.
 */
@Injectable()
export class McpService {
  private readonly logger = new Logger('Mcp');

  constructor(
    private readonly agents: AgentsRepository,
    private readonly tools: ToolsService,
    private readonly caller: ToolCaller,
  ) {}

  /** The answer to one message; undefined where it wants none. Rejects only if the caller hung up. */
  async handle(body: unknown, by: McpCaller): Promise<RpcAnswer | undefined> {
    const message = readMessage(body);
    if (message.kind === 'silent') return undefined;
    if (message.kind === 'invalid') {
      return answerError(message.id, new RpcError(RPC_ERRORS.invalidRequest, `Invalid Request: ${message.reason}`));
    }
    try {
      return answerResult(message.id, await this.run(message, by));
    } catch (error) {
      if (by.signal.aborted) throw error;
      return answerError(message.id, this.explain(error));
    }
  }

  private async run({ method, params }: RpcRequest, by: McpCaller): Promise<object> {
    switch (method) {
      case 'initialize':
        return initialized(parsed(InitializeParams, params).protocolVersion);
      case 'ping':
        return {};
      case 'tools/list':
        return { tools: [...callableNames(await this.callable(by))].map(([name, tool]) => offered(name, tool)) };
      case 'tools/call':
        return this.call(parsed(CallParams, params), by);
      default:
        throw new RpcError(RPC_ERRORS.methodNotFound, `Method not found: ${method.slice(0, 100)}`);
    }
  }

  private async call({ name, arguments: given }: z.infer<typeof CallParams>, by: McpCaller): Promise<object> {
    const tools = await this.callable(by);
    const tool = callableNames(tools).get(name) ?? tools.find((one) => one.name === name);
    if (tool === undefined) throw new RpcError(RPC_ERRORS.invalidParams, `Unknown tool: ${name.slice(0, 100)}`);
    const problems = argumentProblems(schemaOf(tool).inputSchema, given);
    if (problems.length > 0) throw new RpcError(RPC_ERRORS.invalidParams, 'Invalid arguments', problems);
    const { agent, token, signal } = by;
    const { text, isError } = await this.caller.call({ tool, given, agentId: agent.agentId, token, signal });
    return { content: [{ type: 'text', text }], isError };
  }

  /** What this agent may call now. */
  private async callable({ agent }: McpCaller): Promise<ToolDocument[]> {
    const scope = scopeOf(agent);
    const stored = await this.agents.get(scope, agent.agentId);
    if (stored === undefined) throw new RpcError(RPC_ERRORS.invalidRequest, 'The agent does not exist any more');
    return (await this.tools.findActive(scope, stored.allowedToolIds)).filter(({ type }) => type === 'api');
  }

  private explain(error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    if (error instanceof UnfitArguments) {
      return new RpcError(RPC_ERRORS.invalidParams, 'Invalid arguments', [error.message]);
    }
    this.logger.error({ err: error }, 'mcp message failed');
    return new RpcError(RPC_ERRORS.internal, 'Internal error');
  }
}

function initialized(asked: string | undefined): object {
  return {
    protocolVersion: PROTOCOL_VERSIONS.find((version) => version === asked) ?? PROTOCOL_VERSIONS[0],
    capabilities: { tools: {} },
    serverInfo: { name: 'reins', version: VERSION },
  };
}

function offered(name: string, tool: ToolDocument): object {
  // Clients refuse a tool whose input is not described as an object.
  return { name, description: tool.description, inputSchema: { ...schemaOf(tool).inputSchema, type: 'object' } };
}

function schemaOf({ schemaJson }: ToolDocument): ToolView['schema'] {
  return JSON.parse(schemaJson) as ToolView['schema'];
}

function parsed<T>(schema: z.ZodType<T>, params: unknown): T {
  const result = schema.safeParse(params);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new RpcError(RPC_ERRORS.invalidParams, 'Invalid params', problems);
}
