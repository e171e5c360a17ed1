import { type ClaudeOptions } from './options';

export interface ArgumentSource {
  options: ClaudeOptions;
  allowedTools: readonly string[];
  mcpConfigFile: string | undefined;
  resumeId: string | undefined;
}

/** The command line of a warm Claude Code: prompts come on stdin, one JSON message a line. */
export function claudeArguments({ options, allowedTools, mcpConfigFile, resumeId }: ArgumentSource): string[] {
  const args = ['-p', '--input-format', 'stream-json', '--output-format', 'stream-json'];
  args.push('--verbose', '--include-partial-messages', '--replay-user-messages');
  args.push('--permission-mode', options.permissionMode);
  if (options.model !== undefined) args.push(`--model=${options.model}`);
  if (options.maxTurns !== undefined) args.push('--max-turns', String(options.maxTurns));
  if (allowedTools.length > 0) args.push(`--allowedTools=${allowedTools.join(',')}`);
  if (mcpConfigFile !== undefined) args.push(`--mcp-config=${mcpConfigFile}`);
  if (resumeId !== undefined) args.push(`--resume=${resumeId}`);
  return args;
}
