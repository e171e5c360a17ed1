import { type RouteFamily } from '@reins/shared/errors';

const AIWM_ROUTES = /^\/(agents|instructions|tools|nodes)(\/|$|\?)/;
const VM_SYSTEM_ROUTES = /^\/api\/v1(\/|$|\?)/;

/** Which reference system's contract a path belongs to; by path, so that it also holds where no route matched. */
export function routeFamily(path: string): RouteFamily {
  if (AIWM_ROUTES.test(path)) return 'aiwm';
  return VM_SYSTEM_ROUTES.test(path) ? 'vm-system' : 'vwm';
}
