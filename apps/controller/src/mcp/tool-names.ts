/** Models take names of these characters and of 64 at most, of which clients use some for the name of the server. */
const UNFIT = /[^A-Za-z0-9_.-]/g;
const LONGEST = 48;

/**
 * The names under which tools are offered: their own where models take it, else one made from it. No two are alike; of
 * two that would be, the first keeps it.
 */
export function callableNames<T extends { name: string }>(tools: readonly T[]): Map<string, T> {
  const named = new Map<string, T>();
  for (const tool of tools) {
    const base = tool.name.replace(UNFIT, '_').slice(0, LONGEST);
    let name = base;
    for (let number = 2; named.has(name); number++) name = `${base.slice(0, LONGEST - 4)}_${number}`;
    named.set(name, tool);
  }
  return named;
}
