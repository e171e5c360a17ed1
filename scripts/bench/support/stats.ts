/** What a set of samples looks like, in the samples' own unit. */
export interface Distribution {
  count: number;
  p50: number;
  p95: number;
  p99: number;
}

/** Nearest-rank percentiles. Throws where there is nothing to describe. */
export function distribution(samples: readonly number[]): Distribution {
  if (samples.length === 0) throw new Error('no samples: nothing was measured');
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

export function median(samples: readonly number[]): number {
  return distribution(samples).p50;
}

/** Three significant digits, without an exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  return String(Number(value.toPrecision(3)));
}
