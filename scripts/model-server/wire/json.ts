export type Json = Record<string, unknown>;

/** Readers for bodies of unknown shape: a missing or wrong field reads as empty, never as an error. */
export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const asArray = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
export const asText = (value: unknown): string => (typeof value === 'string' ? value : '');
export const objects = (value: unknown): Json[] => asArray(value).map(asObject);

/** First of the known names of shell tools among those offered. */
export function findShellTool(names: readonly string[], known: readonly string[]): string | undefined {
  return known.find((name) => names.includes(name));
}

/** A CLI wraps what it adds on its own to a prompt in tags, or says that the user interrupted: neither is a prompt. */
export function promptText(texts: readonly string[]): string {
  return texts
    .map((text) => text.replace(/<(system-reminder|environment_context|session_context)>[\s\S]*?<\/\1>/g, '').trim())
    .filter((text) => text !== '' && !text.startsWith('[Request interrupted by user'))
    .join('\n');
}

/** Walks a conversation once: prompts in order, and the tool results that came after the last of them. */
export class Transcript {
  readonly prompts: string[] = [];
  toolResults = 0;

  user(texts: readonly string[]): void {
    const text = promptText(texts);
    if (text === '') return;
    this.prompts.push(text);
    this.toolResults = 0;
  }

  toolResult(): void {
    this.toolResults++;
  }
}
