/**
 * Programs that run in a process or thread of their own from this same bundle, by the marker on their command line.
 * Loaded only there, as they must not pay for the harness.
 */
const PROGRAMS: Readonly<Record<string, () => Promise<unknown>>> = {
  '--javascript-child': () => import('./javascript/child-main'),
  '--bridge': () => import('../bridges/worker/worker-main'),
};

/** What this process is for, where it is not a harness. */
export function childProgram(argument: string | undefined): (() => Promise<unknown>) | undefined {
  return argument !== undefined && Object.hasOwn(PROGRAMS, argument) ? PROGRAMS[argument] : undefined;
}
