/** Describe the controller's machine, not the session's pod. */
const OF_THIS_MACHINE = new Set(['PATH', 'HOME', 'TMPDIR', 'CLAUDE_PATH', 'IS_SANDBOX']);

/** Of the controller's own variables those that HARNESS_ENV names and that mean something in a pod. */
export function podEnvironment(own: NodeJS.ProcessEnv, passed: readonly string[]): Record<string, string> {
  const chosen = passed.flatMap((name) => {
    const value = own[name];
    return value === undefined || OF_THIS_MACHINE.has(name) ? [] : [[name, value] as const];
  });
  return Object.fromEntries(chosen);
}
