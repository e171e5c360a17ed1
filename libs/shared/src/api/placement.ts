import { z } from 'zod';

/** How a harness comes to exist: started by the controller, or one that is there already. */
export const LAUNCHER_NAMES = ['process', 'kubernetes', 'external'] as const;
export type LauncherName = (typeof LAUNCHER_NAMES)[number];

export const SIMPLE_MODES = ['random', 'first', 'last', 'exact', 'min_load'] as const;
export const METRIC_MODES = ['min', 'max', 'first_success'] as const;
const METRIC = /^[A-Za-z0-9_.-]{1,64}$/;

/** Every form a selection mode may have, for people who wrote another one. */
export const SELECTION_MODES: readonly string[] = [
  ...SIMPLE_MODES,
  ...METRIC_MODES.map((mode) => `select:${mode}:<metric>`),
];

export type Selection =
  { mode: (typeof SIMPLE_MODES)[number] } | { mode: (typeof METRIC_MODES)[number]; metric: string };

/** A mode such as `min_load` or `select:min:cpu`, taken apart; undefined where it is none. */
export function parseSelectionMode(text: string): Selection | undefined {
  const simple = SIMPLE_MODES.find((mode) => mode === text);
  if (simple !== undefined) return { mode: simple };
  const [prefix, name, ...rest] = text.split(':');
  const mode = METRIC_MODES.find((known) => known === name);
  const metric = rest.join(':');
  return prefix === 'select' && mode !== undefined && METRIC.test(metric) ? { mode, metric } : undefined;
}

export const SelectionMode = z
  .string()
  .max(100)
  .refine((text) => parseSelectionMode(text) !== undefined, {
    error: `is not a selection mode; the modes are ${SELECTION_MODES.join(', ')}`,
  });

/** Which of the connected autonomous agents serves the session. */
export const Placement = z.object({
  mode: SelectionMode.default('min_load'),
  /** The agent has all of these, with these values. */
  labels: z
    .record(z.string().min(1).max(100), z.string().max(200))
    .refine((labels) => Object.keys(labels).length <= 20, 'must name at most 20 labels')
    .default({}),
});
export type Placement = z.infer<typeof Placement>;
