import { type ClaudeOptions } from './options';

export interface ArgumentSource {
  options: ClaudeOptions;
  allowedTools: readonly string[];
  /** Names of the MCP servers in the file. */
  mcpServers: readonly string[];
  mcpConfigFile: string | undefined;
  resumeId: string | undefined;
}

/** The command line of a warm Claude Code: prompts come on stdin, one JSON message a line. */
export function claudeArguments({
  options,
  allowedTools,
  mcpServers,
  mcpConfigFile,
  resumeId,
}: ArgumentSource): string[] {
  const args = ['-p', '--input-format', 'stream-json', '--output-format', 'stream-json'];
  args.push('--verbose', '--include-partial-messages', '--replay-user-messages');
  args.push('--permission-mode', options.permissionMode);
  if (options.model !== undefined) args.push(`--model=${options.model}`);
  if (options.maxTurns !== undefined) args.push('--max-turns', String(options.maxTurns));
  if (allowedTools.length > 0) args.push(`--allowedTools=${permissionRules(allowedTools, mcpServers).join(',')}`);
  if (mcpConfigFile !== undefined) args.push(`--mcp-config=${mcpConfigFile}`);
  if (resumeId !== undefined) args.push(`--resume=${resumeId}`);
  return args;
}

/** The CLI names what a server offers `mcp__<server>`, with what is no letter, digit, dash or underscore replaced. */
function permissionRules(allowedTools: readonly string[], mcpServers: readonly string[]): string[] {
  const servers = mcpServers.map((name) => `mcp__${name.replace(/[^A-Za-z0-9_-]/g, '_')}`);
  return [...allowedTools.filter((name) => !mcpServers.includes(name)), ...servers];
}
