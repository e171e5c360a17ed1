import { type QueryFilter, type UpdateQuery } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { TenantLoader } from '../database/tenant-loader';
import { TenantRepository } from '../database/tenant.repository';
import { type AiwmDocument, type Editor } from './aiwm-document';
import { type AiwmFilter, type AiwmListQuery } from './aiwm-list';
import { type AiwmCount } from './aiwm-page';

export interface AiwmFound<T> {
  items: T[];
  total: number;
  counts: AiwmCount[];
}

/** Stored instructions, tools and nodes. No method sees what was deleted. */
export abstract class AiwmDocumentsRepository<T extends AiwmDocument> extends TenantRepository<T> {
  /** By organisation and id: agents that connect at once mostly ask for the same few. */
  private readonly byKey = new TenantLoader<T>((scope, ids) => this.fetch(scope, ids));

  /** Throws a duplicate key error where a unique index has the value already. */
  create(scope: OrgScope, document: Omit<T, 'orgId'>): Promise<T> {
    return this.insert(scope, document);
  }

  get(scope: OrgScope, id: string): Promise<T | undefined> {
    return this.byKey.load(scope, id);
  }

  async list(scope: OrgScope, { page, limit, filter, sort }: AiwmListQuery): Promise<AiwmFound<T>> {
    const condition = this.readable(scope, this.matching(filter));
    const offset = (page - 1) * limit;
    const [items, total, counts] = await Promise.all([
      this.model.find(condition).sort(newestFirst(sort)).skip(offset).limit(limit).lean<T[]>().exec(),
      this.model.countDocuments(condition).exec(),
      this.count(scope),
    ]);
    return { items, total, counts };
  }

  /** The document after the change; undefined where it is gone. */
  update(scope: OrgScope, id: string, update: UpdateQuery<T>): Promise<T | undefined> {
    return this.updateOne(scope, { _id: id, isDeleted: false }, update);
  }

  /** False where it is gone already. */
  async markDeleted(scope: OrgScope, id: string, at: Date, by: Editor): Promise<boolean> {
    const change = { isDeleted: true, deletedAt: at, updatedAt: at, updatedBy: by.actor };
    return (await this.update(scope, id, { $set: change })) !== undefined;
  }

  /** What reads may see of what matches: the tenant's, not deleted. Writes are narrowed by the base. */
  protected readable(scope: OrgScope, filter: QueryFilter<T>): QueryFilter<T> {
    return this.scoped(scope, { ...filter, isDeleted: false });
  }

  private async fetch(scope: OrgScope, ids: string[]): Promise<[string, T][]> {
    const condition = this.readable(scope, { _id: { $in: ids } });
    const found = await this.model.find(condition).lean<T[]>().exec();
    return found.map((document) => [document._id, document]);
  }

  protected matching(filter: AiwmFilter): QueryFilter<T> {
    return conditionOf(filter);
  }

  protected async count(scope: OrgScope): Promise<AiwmCount[]> {
    const groups = await this.model
      .aggregate<{ _id: { status: string; type?: string | null }; count: number }>([
        { $match: this.readable(scope, {}) },
        { $group: { _id: { status: '$status', type: '$type' }, count: { $sum: 1 } } },
      ])
      .exec();
    return groups.map(({ _id, count }) => ({ status: _id.status, type: _id.type ?? undefined, count }));
  }
}

/** Ids tell creations apart by the second only, so the time of creation decides before them. */
function newestFirst({ _id, ...given }: Record<string, 1 | -1>): Record<string, 1 | -1> {
  return { ...given, createdAt: given.createdAt ?? -1, _id: _id ?? -1 };
}

/** A parsed filter as a query: equal values, and texts that contain what was asked for, whatever the case. */
export function conditionOf({ equals, contains }: AiwmFilter): Record<string, unknown> {
  const texts = Object.entries(contains).map(([field, text]) => [field, containing(text)] as const);
  return { ...equals, ...Object.fromEntries(texts) };
}

/** A text as a pattern that matches itself and nothing else. */
function containing(text: string): { $regex: string; $options: 'i' } {
  return { $regex: text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), $options: 'i' };
}
