/** What a prompt tells the model server to do; docs/reference/drivers.md lists the directives. */
export interface Directives {
  texts: readonly string[];
  /** Shell commands, one tool call each, in order. */
  tools: readonly string[];
  thinking: string | undefined;
  slowMs: number | undefined;
  deltas: number | undefined;
  failStatus: number | undefined;
  hang: boolean;
  recall: boolean;
  usage: { tokensIn: number; tokensOut: number } | undefined;
}

/** Reads `[[name]]` and `[[name:argument]]`; an argument ends at the first `]]`. Unknown names are ignored. */
export function parseDirectives(prompt: string): Directives {
  const found = [...prompt.matchAll(/\[\[([a-z]+)(?::([\s\S]*?))?\]\]/g)].map((match) => ({
    name: match[1],
    argument: match[2] ?? '',
  }));
  const all = (name: string): string[] => found.filter((one) => one.name === name).map((one) => one.argument);
  const number = (name: string): number | undefined => toNumber(all(name)[0]);
  return {
    texts: all('text'),
    tools: all('tool'),
    thinking: all('thinking')[0],
    slowMs: number('slow'),
    deltas: number('deltas'),
    failStatus: number('fail'),
    hang: all('hang').length > 0,
    recall: all('recall').length > 0,
    usage: toUsage(all('usage')[0]),
  };
}

function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function toUsage(text: string | undefined): Directives['usage'] {
  const [tokensIn, tokensOut] = (text ?? '').split(',').map(toNumber);
  return tokensIn !== undefined && tokensOut !== undefined ? { tokensIn, tokensOut } : undefined;
}
