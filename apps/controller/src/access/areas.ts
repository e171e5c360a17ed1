import { type Area } from '@reins/shared/api/access';

const BY_PATH: readonly [RegExp, Area][] = [
  [/^\/(sessions|operations)(\/|$)/, 'sessions'],
  [/^\/(agents|nodes|admin\/(agents|nodes|enrollment[^/]*)|enroll[^/]*)(\/|$)/, 'agents'],
  [/^\/(instructions|tools|admin\/(runtimes|workers|skills|system-instructions))(\/|$)/, 'definitions'],
];

/** The part of the API a path belongs to. A path nobody thought of belongs to the one that keys are given least often. */
export function areaOf(path: string): Area {
  return BY_PATH.find(([pattern]) => pattern.test(path))?.[1] ?? 'access';
}
