/** What every document of an AIWM route carries beside its own fields. */
export interface AiwmView {
  _id: string;
  owner: { orgId: string; userId: string };
  createdBy: string;
  updatedBy: string;
  createdAt: string;
  updatedAt: string;
}

/** One page of an AIWM list. `statistics` count everything the caller may see, whatever the filter. */
export interface AiwmPage<V> {
  data: V[];
  pagination: { page: number; limit: number; total: number; totalPages: number };
  statistics: { total: number; byStatus: Record<string, number>; byType: Record<string, number> };
}

/** Answer to the deletion of an instruction or a tool. */
export interface AiwmDeleted {
  _id: string;
  deletedAt: string;
}
