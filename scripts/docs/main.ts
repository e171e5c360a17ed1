import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GENERATED_PAGES, OPENAPI, outdatedPages, ROOT } from './generated-pages';

const USAGE = `Writes the generated pages of docs/reference.
  npx tsx scripts/docs/main.ts                          errors.md, config.md, api.md
  npx tsx scripts/docs/main.ts --check                  only says which are out of date; exit code 1 if any is
  npx tsx scripts/docs/main.ts --openapi http://127.0.0.1:3305
                                                        fetches openapi.json from a running controller first`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { check: { type: 'boolean' }, openapi: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  if (values.openapi !== undefined) await fetchOpenApi(values.openapi);
  const outdated = outdatedPages();
  if (values.check === true) {
    for (const path of outdated) console.error(`${path} is out of date; run: npx tsx scripts/docs/main.ts`);
    return outdated.length === 0 ? 0 : 1;
  }
  for (const path of outdated) {
    writeFileSync(join(ROOT, path), GENERATED_PAGES[path]?.() ?? '');
    console.log(`wrote ${path}`);
  }
  if (outdated.length === 0) console.log('everything is up to date');
  return 0;
}

async function fetchOpenApi(controller: string): Promise<void> {
  const url = `${controller.replace(/\/+$/, '')}/api-docs/openapi.json`;
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  writeFileSync(join(ROOT, OPENAPI), `${JSON.stringify(await response.json(), null, 2)}\n`);
  console.log(`wrote ${OPENAPI}`);
}

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
