import { type AiwmPage } from '@reins/shared/api/aiwm';

/** How many documents have this status and, where the noun has one, this type. */
export interface AiwmCount {
  status: string;
  type?: string | undefined;
  count: number;
}

/** AIWM's page. `counts` are of everything the caller may see, whatever the filter. */
export function toAiwmPage<T, V>(
  { items, total, counts }: { items: T[]; total: number; counts: AiwmCount[] },
  { page, limit }: { page: number; limit: number },
  view: (item: T) => V,
): AiwmPage<V> {
  const byStatus: Record<string, number> = {};
  const byType: Record<string, number> = {};
  for (const { status, type, count } of counts) {
    byStatus[status] = (byStatus[status] ?? 0) + count;
    if (type !== undefined) byType[type] = (byType[type] ?? 0) + count;
  }
  return {
    data: items.map((item) => view(item)),
    pagination: { page, limit, total, totalPages: Math.ceil(total / limit) },
    statistics: { total: counts.reduce((sum, { count }) => sum + count, 0), byStatus, byType },
  };
}
