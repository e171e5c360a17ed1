import { type Usage } from '@reins/shared/link';
import { asNumber, asObject, type Json } from './messages';

/**
 * Tokens and cost of one turn from its `result` line. The CLI's own sums since the last result are taken where it gives
 * them: they also count helper models and interrupted turns. Else the cost is the difference to `costBefore`, the total
 * of the result before, because `total_cost_usd` counts from the start of the process, and in a resumed conversation
 * from its first turn: there `costBefore` is undefined once, and so is the cost.
 */
export function turnUsage(result: Json, costBefore: number | undefined, model: string | undefined): Usage {
  const models = Object.entries(asObject(result.model_usage_since_last_result)).map(([name, counts]) => ({
    name,
    counts: asObject(counts),
  }));
  const main = [...models].sort((a, b) => asNumber(b.counts.outputTokens) - asNumber(a.counts.outputTokens))[0];
  const named = main?.name ?? model;
  const tokens = models.length > 0 ? sum(models.map((one) => modelTokens(one.counts))) : plainTokens(result);
  const cost = models.some((one) => typeof one.counts.costUSD === 'number')
    ? models.reduce((total, one) => total + asNumber(one.counts.costUSD), 0)
    : costBefore !== undefined
      ? Math.max(0, asNumber(result.total_cost_usd) - costBefore)
      : undefined;
  return { ...tokens, ...(cost !== undefined ? { costUsd: rounded(cost) } : {}), ...(named ? { model: named } : {}) };
}

/** Sums of floats end in noise; a millionth of a cent is below anything that is billed. */
const rounded = (costUsd: number): number => Math.round(costUsd * 1e8) / 1e8;

type Tokens = Pick<Usage, 'tokensIn' | 'tokensOut'>;

function modelTokens(counts: Json): Tokens {
  const { inputTokens, cacheReadInputTokens, cacheCreationInputTokens, outputTokens } = counts;
  return {
    tokensIn: asNumber(inputTokens) + asNumber(cacheReadInputTokens) + asNumber(cacheCreationInputTokens),
    tokensOut: asNumber(outputTokens),
  };
}

function plainTokens(result: Json): Tokens {
  const usage = asObject(result.usage);
  const cached = asNumber(usage.cache_read_input_tokens) + asNumber(usage.cache_creation_input_tokens);
  return { tokensIn: asNumber(usage.input_tokens) + cached, tokensOut: asNumber(usage.output_tokens) };
}

function sum(all: readonly Tokens[]): Tokens {
  return all.reduce(
    (total, one) => ({ tokensIn: total.tokensIn + one.tokensIn, tokensOut: total.tokensOut + one.tokensOut }),
    { tokensIn: 0, tokensOut: 0 },
  );
}
