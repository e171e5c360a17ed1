import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiPage } from './pages/api';
import { configPage } from './pages/config';
import { errorsPage } from './pages/errors';

export const ROOT = join(__dirname, '../..');
export const OPENAPI = 'docs/reference/openapi.json';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** What each generated page should contain now, by its path. */
export const GENERATED_PAGES: Readonly<Record<string, () => string>> = {
  'docs/reference/errors.md': errorsPage,
  'docs/reference/config.md': () => configPage(read('.env.example')),
  'docs/reference/api.md': () => apiPage(JSON.parse(read(OPENAPI))),
};

/** Paths of the pages whose source has changed since they were written. */
export function outdatedPages(): string[] {
  return Object.entries(GENERATED_PAGES)
    .filter(([path, content]) => !existsSync(join(ROOT, path)) || read(path) !== content())
    .map(([path]) => path);
}
