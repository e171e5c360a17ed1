import { ConnectResponse, LinkAddress } from '@reins/shared/link/connect';
import { type z } from 'zod';

/** Everything the connect answer says apart from the token. */
export type AgentConfiguration = Omit<
  ConnectResponse,
  'token' | 'accessToken' | 'expiresIn' | 'tokenType' | 'refreshToken' | 'refreshExpiresIn' | 'link'
> & {
  /** Absent at a controller that has no link: an AIWM server, which takes heartbeats over HTTP. */
  link?: LinkAddress | undefined;
};

const AgentConfiguration = ConnectResponse.omit({
  token: true,
  accessToken: true,
  expiresIn: true,
  tokenType: true,
  refreshToken: true,
  refreshExpiresIn: true,
}).extend({ link: LinkAddress.optional() });

const AGENT_TOKEN_SECONDS = 24 * 60 * 60;

type Values = Readonly<Record<string, unknown>>;

export interface ConnectAnswer {
  token: string;
  /** 24 hours where the controller does not say. */
  expiresInSeconds: number;
  configuration: AgentConfiguration;
}

/**
 * What a controller answered to connect: Reins' own, or one of the three shapes AIWM's have had. What such a server does
 * not say is empty. Throws a plain sentence where there is no token or a part makes no sense.
 */
export function parseConnectAnswer(body: Buffer): ConnectAnswer {
  const answer = parseObject(body);
  const token = textOr(answer.token) || textOr(answer.accessToken);
  if (token === '') throw new Error("the controller's answer has no token");
  const { expiresIn } = answer;
  const expiresInSeconds = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : AGENT_TOKEN_SECONDS;
  return { token, expiresInSeconds, configuration: configurationOf(answer) };
}

export function parseConfiguration(body: Buffer): AgentConfiguration {
  return configurationOf(parseObject(body));
}

function configurationOf(answer: Values): AgentConfiguration {
  const detail = instructionDetail(answer);
  const agent = objectOr(answer.agent);
  return checked(AgentConfiguration, {
    ...answer,
    instruction: typeof answer.instruction === 'string' ? answer.instruction : merged(detail),
    instructionDetail: detail,
    tools: Array.isArray(answer.tools) ? answer.tools.filter(isObject) : [],
    agent: { id: textOr(agent.id), name: textOr(agent.name), orgId: textOr(agent.orgId) },
    settings: objectOr(answer.settings),
    skills: answer.skills ?? [],
    mcpServers: answer.mcpServers ?? {},
    session: answer.session ?? null,
    link: answer.link ?? undefined,
    configVersion: answer.configVersion ?? '',
  });
}

/** The latest AIWM sends the instruction in parts; the others as one text. */
function instructionDetail({ instruction, instructionDetail: detail }: Values): ConnectResponse['instructionDetail'] {
  const parts = isObject(detail) ? detail : objectOr(instruction);
  const guidelines = Array.isArray(parts.guidelines) ? parts.guidelines : [];
  return {
    id: textOr(parts.id),
    systemPrompt: textOr(parts.systemPrompt),
    guidelines: guidelines.filter((guideline): guideline is string => typeof guideline === 'string'),
  };
}

/** As AIWM merges them: the prompt, then the guidelines numbered from 1, each ending its line. */
function merged({ systemPrompt, guidelines }: ConnectResponse['instructionDetail']): string {
  if (guidelines.length === 0) return systemPrompt;
  return `${systemPrompt}\n\n## Guidelines\n${guidelines.map((text, index) => `${index + 1}. ${text}\n`).join('')}`;
}

function checked<T extends z.ZodType>(schema: T, value: Values): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  // The path and what is wrong with it; never the value, which may be a secret.
  throw new Error(`the controller's answer is not understood: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function parseObject(body: Buffer): Values {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Error("the controller's answer is not JSON");
  }
  if (!isObject(parsed)) throw new Error("the controller's answer is not an object");
  return parsed;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOr(value: unknown): Values {
  return isObject(value) ? value : {};
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
