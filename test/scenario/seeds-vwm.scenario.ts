import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { type BuiltController, startBuiltController } from '../support/processes';
import { followGuide, GuideRepositories, reviewer } from '../support/vwm-guide';

let model: ModelServer;
let controller: BuiltController;
let folder: string;
let repositories: GuideRepositories;
const ids: Record<string, string> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-seed-'));
  repositories = new GuideRepositories(folder);
  // The guide's repositories are out of reach: git is told that they are here.
  const rewritten = `[url "file://${repositories.root}/"]\n\tinsteadOf = https://github.com/org/\n`;
  writeFileSync(join(folder, '.gitconfig'), `${rewritten}[protocol "file"]\n\tallow = always\n`);
  model = await startModelServer({ script: reviewer });
  controller = await startBuiltController({
    env: {
      HOME: folder,
      CLAUDE_PATH: await ensureAgentCli('claude-code'),
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: 'local-model-server',
    },
  });
}, AGENT_CLI_INSTALL_MS + 60_000);

afterAll(async () => {
  await controller?.stop();
  await model?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}, 60_000);

jest.setTimeout(180_000);

describe("the Virtual Worker Manager's getting-started guide, by curl as written", () => {
  followGuide(() => ({ url: controller.url, ids, headers: [], model, repositories }));
});
