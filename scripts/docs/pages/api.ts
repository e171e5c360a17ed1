import { z } from 'zod';
import { code, page, table } from './markdown';

const OpenApi = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.object({ summary: z.string().default(''), tags: z.array(z.string()).default(['other']) })),
  ),
});

/** docs/reference/api.md, from the OpenAPI description. */
export function apiPage(openapi: unknown): string {
  const byTag = new Map<string, string[][]>();
  for (const [path, operations] of Object.entries(OpenApi.parse(openapi).paths)) {
    for (const [method, { summary, tags }] of Object.entries(operations)) {
      const tag = tags[0] ?? 'other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), [code(`${method.toUpperCase()} ${path}`), summary]]);
    }
  }
  const sections = [...byTag].map(([tag, rows]) =>
    page(`## ${tag.charAt(0).toUpperCase()}${tag.slice(1)}`, table(['Route', 'Does'], rows)).trimEnd(),
  );
  return page(
    '# API',
    [
      'Written from [openapi.json](openapi.json) by `npx tsx scripts/docs/main.ts`. Bodies and answers are described there, and',
      'at `/api-docs` of a running controller. [The sessions guide](../guides/sessions.md) shows them at work.',
    ].join('\n'),
    [
      '- **Access.** `Authorization: Bearer` with a token or an API key (`rk_…`). With `AUTH_MODE=dev` a request without it',
      '  comes from the administrator. An agent’s token reaches that agent and its sessions only.',
      '- **Bodies** are JSON with `Content-Type: application/json`. Unknown fields are ignored.',
      '- **Times** are RFC 3339 in UTC with milliseconds; durations end in `Ms` or `Seconds`, sizes in `Bytes`.',
      '- **Lists** are arrays, newest first, cut by `?limit` (50, at most 100) and `?offset`; `X-Total-Count` is the whole',
      '  number. `GET /agents` answers `{data, pagination, statistics}` instead.',
      '- **Errors** are in [errors.md](errors.md). Every answer has an `X-Correlation-Id`, yours if you sent one.',
      '- **Repeats.** `POST /sessions`, `/prompt` and `/stream` take an `Idempotency-Key`: the same key and body give the same',
      '  session or turn, for a day.',
    ].join('\n'),
    ...sections,
  );
}
