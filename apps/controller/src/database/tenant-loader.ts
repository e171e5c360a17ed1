import { type OrgScope, orgScope } from '../access/principal';
import { BatchLoader } from './batch-loader';

/** A BatchLoader of what organisations own: each of its queries is about one of them. */
export class TenantLoader<V> {
  private readonly byKey = new BatchLoader<V>((keys) => this.fetchAll(keys));

  /** `fetch` answers what it found, each with the id it was asked for by. */
  constructor(
    private readonly fetch: (scope: OrgScope, ids: string[]) => Promise<(readonly [id: string, value: V])[]>,
  ) {}

  load({ orgId }: OrgScope, id: string): Promise<V | undefined> {
    return this.byKey.load(keyOf(orgId, id));
  }

  private async fetchAll(keys: string[]): Promise<Map<string, V>> {
    const idsOf = new Map<string, string[]>();
    for (const key of keys) {
      const [orgId, id] = JSON.parse(key) as [string, string];
      idsOf.set(orgId, [...(idsOf.get(orgId) ?? []), id]);
    }
    const found = [...idsOf].map(async ([orgId, ids]) => {
      const values = await this.fetch(orgScope(orgId), ids);
      return values.map(([id, value]): [string, V] => [keyOf(orgId, id), value]);
    });
    return new Map((await Promise.all(found)).flat());
  }
}

/** Names of organisations come from outside and may have anything in them. */
function keyOf(orgId: string, id: string): string {
  return JSON.stringify([orgId, id]);
}
