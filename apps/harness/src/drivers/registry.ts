import { type DriverFactory } from './driver.port';

/** Loaded with a lane's first turn: a harness pays only for the kind of agent it runs. */
const DRIVERS: Readonly<Record<string, () => Promise<DriverFactory>>> = {
  'claude-code': async () => (await import('./claude-code/claude-code.driver')).createClaudeCodeDriver,
  javascript: async () => (await import('./javascript/javascript.driver')).createJavascriptDriver,
};

/** The kinds of agents this harness can run. */
export const SUPPORTED_TYPES: readonly string[] = Object.keys(DRIVERS);

/** Rejects for a kind it has no driver for. */
export async function loadDriver(cliType: string): Promise<DriverFactory> {
  const load = Object.hasOwn(DRIVERS, cliType) ? DRIVERS[cliType] : undefined;
  if (load === undefined) {
    throw new Error(`this harness has no driver for ${cliType}; it has ${SUPPORTED_TYPES.join(', ')}`);
  }
  return load();
}
