import { type Model, type QueryFilter, type UpdateQuery, type UpdateWithAggregationPipeline } from 'mongoose';
import { type OrgScope } from '../access/principal';

/** What every tenant-owned document has. Ids are strings; `orgId` is in every query. */
export interface TenantDocument {
  _id: string;
  orgId: string;
}

export interface Page {
  limit: number;
  offset: number;
}

/**
 * Base of every repository. The tenant key is the first parameter of each method and goes into the query here, last, so
 * that no filter of a caller can widen it. What leaves is a plain object, never a mongoose document.
 */
export abstract class TenantRepository<T extends TenantDocument> {
  protected constructor(protected readonly model: Model<T>) {}

  protected scoped(scope: OrgScope, filter: QueryFilter<T>): QueryFilter<T> {
    return { ...filter, orgId: scope.orgId };
  }

  protected async insert(scope: OrgScope, document: Omit<T, 'orgId'>): Promise<T> {
    const whole = { ...document, orgId: scope.orgId } as T;
    await this.model.create(whole);
    return whole;
  }

  protected async findOne(scope: OrgScope, filter: QueryFilter<T>): Promise<T | undefined> {
    const found = await this.model.findOne(this.scoped(scope, filter)).lean<T>().exec();
    return found ?? undefined;
  }

  /** Newest first, by id (ids sort by creation), unless `sort` says otherwise. */
  protected async findPage(
    scope: OrgScope,
    filter: QueryFilter<T>,
    page: Page,
    sort: Record<string, 1 | -1> = { _id: -1 },
  ): Promise<{ items: T[]; total: number }> {
    const query = this.scoped(scope, filter);
    const [items, total] = await Promise.all([
      this.model.find(query).sort(sort).skip(page.offset).limit(page.limit).lean<T[]>().exec(),
      this.model.countDocuments(query).exec(),
    ]);
    return { items, total };
  }

  /** One atomic update; the document after it, or undefined where the filter matched nothing. */
  protected async updateOne(
    scope: OrgScope,
    filter: QueryFilter<T>,
    update: UpdateQuery<T> | UpdateWithAggregationPipeline,
    sort?: Record<string, 1 | -1>,
  ): Promise<T | undefined> {
    const found = await this.model
      .findOneAndUpdate(this.scoped(scope, filter), update, { returnDocument: 'after', ...(sort && { sort }) })
      .lean<T>()
      .exec();
    return found ?? undefined;
  }

  protected async deleteOne(scope: OrgScope, filter: QueryFilter<T>): Promise<boolean> {
    const { deletedCount } = await this.model.deleteOne(this.scoped(scope, filter)).exec();
    return deletedCount > 0;
  }
}

const DUPLICATE_KEY = 11000;

/** Whether a write failed because a unique index already has the value. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof Error && (error as Error & { code?: unknown }).code === DUPLICATE_KEY;
}
