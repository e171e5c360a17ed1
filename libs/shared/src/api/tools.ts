import { z } from 'zod';
import { type AiwmPage, type AiwmView } from './aiwm';
import { Name } from './common';
import { storedJson } from './stored-json';

export const TOOL_TYPES = ['mcp', 'builtin', 'custom', 'api'] as const;
export type ToolType = (typeof TOOL_TYPES)[number];
export const TOOL_CATEGORIES = ['productivity', 'data', 'system', 'communication'] as const;
export const TOOL_STATUSES = ['active', 'inactive', 'error'] as const;
export type ToolStatus = (typeof TOOL_STATUSES)[number];
export const TOOL_SCOPES = ['public', 'org', 'private'] as const;
export const TOOL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** How long a call of an `api` tool may take unless its execution says otherwise. */
export const TOOL_TIMEOUT_MS = 30_000;

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https address' })
  .max(2000)
  .refine((url) => !/\s/.test(url), 'must not contain spaces');

/** A JSON Schema: `$ref` and the like are its words, so its keys are not restricted. It is stored as text. */
const jsonSchema = storedJson({ maxDepth: 32, maxBytes: 64 * 1024, anyKeys: true });

/** The connection's own headers are the controller's business. */
const RESERVED_HEADERS =
  /^(host|connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade|expect|proxy-.*)$/i;
const headers = z
  .record(
    z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is not a header name')
      .refine((name) => !RESERVED_HEADERS.test(name), 'cannot be set')
      .refine((name) => name !== '__proto__' && !name.startsWith('$'), 'is not a header name'),
    z
      .string()
      .max(4000)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
  )
  .refine((value) => Object.keys(value).length <= 50, 'must have at most 50 headers');

/** The HTTP request an `api` tool stands for. `{name}` in the path is filled from the arguments of a call. */
export const ToolExecution = z.object({
  method: z.enum(TOOL_METHODS),
  baseUrl: httpUrl.refine(
    (url) => URL.canParse(url) && !/[?#]/.test(url) && new URL(url).username === '' && new URL(url).password === '',
    'must have no credentials, query or fragment',
  ),
  path: z
    .string()
    .max(2000)
    .regex(/^\/[^\s?#\\]*$/, 'must begin with / and have no spaces, query or fragment'),
  headers: headers.default({}),
  /** Whether the token of the calling agent is sent along. */
  authRequired: z.boolean().default(false),
  /** Milliseconds. */
  timeout: z.number().int().min(100).max(300_000).default(TOOL_TIMEOUT_MS),
});
export type ToolExecution = z.infer<typeof ToolExecution>;

const environment = z
  .record(
    z
      .string()
      .max(200)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of a variable')
      .refine((name) => name !== '__proto__', 'is not the name of a variable'),
    z.string().max(8000),
  )
  .refine((value) => Object.keys(value).length <= 100, 'must have at most 100 variables');

const fields = z.object({
  name: Name,
  type: z.enum(TOOL_TYPES),
  description: z.string().min(1, 'must not be empty').max(500),
  category: z.enum(TOOL_CATEGORIES),
  schema: z.object({ inputSchema: jsonSchema, outputSchema: jsonSchema }),
  status: z.enum(TOOL_STATUSES),
  scope: z.enum(TOOL_SCOPES),
  transport: z.enum(['sse', 'http']),
  endpoint: httpUrl,
  dockerImage: z.string().min(1).max(500),
  port: z.number().int().min(1024).max(65_535),
  environment,
  healthEndpoint: z.string().min(1).max(2000),
  execution: ToolExecution,
});

const MCP_FIELDS = ['transport', 'endpoint', 'dockerImage', 'port'] as const;

/** `scope` is `public` unless given; a tool becomes visible to other organisations only where it is given. */
export const CreateTool = fields
  .partial()
  .required({ name: true, type: true, description: true, category: true, schema: true })
  .extend({ status: fields.shape.status.default('active') })
  .superRefine((tool, context) => {
    if (tool.type === 'mcp') {
      for (const field of MCP_FIELDS) {
        if (tool[field] !== undefined) continue;
        context.addIssue({ code: 'custom', path: [field], message: 'is required for a tool of type mcp' });
      }
    }
    if (tool.execution !== undefined && tool.type !== 'api') {
      context.addIssue({ code: 'custom', path: ['execution'], message: 'is for tools of type api' });
    }
  });
export type CreateTool = z.infer<typeof CreateTool>;

/** Everything but the type. A `type` that is sent along is ignored. */
export const UpdateTool = fields.omit({ type: true }).partial();
export type UpdateTool = z.infer<typeof UpdateTool>;

/** A tool as AIWM writes it; secrets in `environment` and values of `execution.headers` are `***`. */
export interface ToolView extends AiwmView {
  name: string;
  type: ToolType;
  description: string;
  category: (typeof TOOL_CATEGORIES)[number];
  schema: { inputSchema: Record<string, unknown>; outputSchema: Record<string, unknown> };
  status: ToolStatus;
  scope: (typeof TOOL_SCOPES)[number];
  /** Whether every organisation may use it. Only the universe owner can make such a tool or change it. */
  shared: boolean;
  transport?: 'sse' | 'http';
  endpoint?: string;
  dockerImage?: string;
  port?: number;
  environment?: Record<string, unknown>;
  healthEndpoint?: string;
  execution?: ToolExecution;
}

export type ToolPage = AiwmPage<ToolView>;
