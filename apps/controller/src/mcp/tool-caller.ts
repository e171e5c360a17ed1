import { Injectable, Logger } from '@nestjs/common';
import { HEADERS } from '@reins/shared/api/common';
import { type ToolExecution } from '@reins/shared/api/tools';
import { requestContext } from '../common/request-context';
import { Config } from '../config/config';
import { ListenAddress } from '../config/listen-address';
import { type ToolDocument } from '../definitions/tools/tool.schema';
import { AnswerTooLong, exchange, type HttpAnswer } from './http-exchange';
import { PrivateAddress, publicLookup, refusePrivateHost } from './private-addresses';
import { toolRequest, type ToolRequest } from './tool-request';

const MAX_ANSWER_BYTES = 1024 * 1024;

export interface ToolCall {
  tool: ToolDocument;
  given: Record<string, unknown>;
  agentId: string;
  /** The token the agent made this call with. */
  token: string;
  signal: AbortSignal;
}

/** What came of a call, in words for the agent. */
export interface ToolOutcome {
  text: string;
  isError: boolean;
}

/** Calls the HTTP APIs behind tools of type api, on behalf of one agent at a time. */
@Injectable()
export class ToolCaller {
  private readonly logger = new Logger('ToolCalls');

  constructor(
    private readonly config: Config,
    private readonly address: ListenAddress,
  ) {}

  /** Whatever the API does is an outcome. Throws UnfitArguments where the call cannot be made from its arguments. */
  async call({ tool, given, agentId, token, signal }: ToolCall): Promise<ToolOutcome> {
    const { execution } = tool;
    if (execution === undefined) return failed('The tool has no execution: an administrator has to set it.');
    const request = toolRequest(execution, given);
    const trusted = execution.authRequired && this.mayHaveToken(request.url);
    if (execution.authRequired && !trusted) {
      return failed(
        `The tool needs the agent's token, which is not sent to ${request.url.origin}: an administrator has to name it ` +
          'in TOOL_TOKEN_ORIGINS.',
      );
    }
    const startedAt = performance.now();
    const outcome = await this.send(request, execution, { token, signal, trusted });
    const durationMs = Math.round(performance.now() - startedAt);
    const { status, isError } = outcome;
    this.logger.log({ agentId, orgId: tool.orgId, toolId: tool._id, status, isError, durationMs }, 'tool.called');
    return { text: outcome.text, isError };
  }

  private async send(
    request: ToolRequest,
    { timeout, authRequired }: ToolExecution,
    { token, signal, trusted }: { token: string; signal: AbortSignal; trusted: boolean },
  ): Promise<ToolOutcome & { status: number | null }> {
    const deadline = AbortSignal.timeout(timeout);
    const restricted = !trusted && !this.config.toolsReachPrivateAddresses;
    try {
      if (restricted) refusePrivateHost(request.url);
      const headers = this.headersOf(request, authRequired ? token : undefined);
      const answer = await exchange(
        { ...request, headers },
        {
          maxBytes: MAX_ANSWER_BYTES,
          signal: AbortSignal.any([deadline, signal]),
          ...(restricted && { lookup: publicLookup }),
        },
      );
      return { ...outcomeOf(answer), status: answer.status };
    } catch (error) {
      if (signal.aborted) throw error;
      return { ...failed(explain(error, deadline.aborted ? timeout : undefined)), status: null };
    }
  }

  /** The agent's token replaces whatever the tool says of Authorization. */
  private headersOf({ headers }: ToolRequest, token: string | undefined): Record<string, string> {
    const correlationId = requestContext()?.correlationId;
    const kept = Object.entries(headers).filter(([name]) => token === undefined || !/^authorization$/i.test(name));
    return {
      Accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
      ...(correlationId !== undefined && { [HEADERS.correlationId]: correlationId }),
      ...Object.fromEntries(kept),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    };
  }

  /** The controller itself, but for the route that brought the call here, and what its operator has named. */
  private mayHaveToken({ origin, pathname }: URL): boolean {
    if (origin === new URL(this.address.publicUrl).origin) return !/^\/+mcp(\/|$)/i.test(pathname);
    return this.config.env.TOOL_TOKEN_ORIGINS.includes(origin);
  }
}

function outcomeOf({ status, text }: HttpAnswer): ToolOutcome {
  if (status >= 300 && status < 400) return failed(`HTTP ${status}: redirects are not followed.`);
  if (status >= 400) return failed(`HTTP ${status}: ${text}`);
  return { text: text === '' ? `HTTP ${status} without content` : text, isError: false };
}

function failed(text: string): ToolOutcome {
  return { text, isError: true };
}

/** In words that say nothing about the network the controller is in. */
function explain(error: unknown, timeoutMs: number | undefined): string {
  if (timeoutMs !== undefined) return `The tool did not answer within ${timeoutMs} ms.`;
  if (error instanceof AnswerTooLong) return `The answer is longer than ${MAX_ANSWER_BYTES} bytes.`;
  if (error instanceof PrivateAddress) {
    return 'The address of the tool is private, which TOOL_PRIVATE_ADDRESSES does not allow.';
  }
  return 'The tool cannot be reached.';
}
