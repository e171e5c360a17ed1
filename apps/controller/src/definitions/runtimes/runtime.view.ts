import { type RuntimeView } from '@reins/shared/api/definitions';
import { type RuntimeDocument } from './runtime.schema';

export function toRuntimeView(runtime: RuntimeDocument): RuntimeView {
  const { _id, orgId: _orgId, createdAt, updatedAt, warmPods = 0, ...fields } = runtime;
  return { id: _id, ...fields, warmPods, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
