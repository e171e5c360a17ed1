import { orgScope } from '../access/principal';
import { TenantLoader } from './tenant-loader';

it('TenantLoader asks for each organisation by itself, and never answers one with what is another’s', async () => {
  const queries: [string, string[]][] = [];
  const stored = [
    { orgId: 'a', id: '1' },
    { orgId: 'a b', id: '1' },
    { orgId: 'a', id: '2' },
  ];
  const loader = new TenantLoader<string>(async ({ orgId }, ids) => {
    queries.push([orgId, ids]);
    const own = stored.filter((one) => one.orgId === orgId && ids.includes(one.id));
    return own.map(({ id }) => [id, `${orgId}/${id}`] as const);
  });
  const asked: [string, string][] = [
    ['a', '1'],
    ['a b', '1'],
    ['a', '2'],
    ['a', '3'],
    ['b', '1'],
    ['a', '1'],
  ];
  const answers = await Promise.all(asked.map(([orgId, id]) => loader.load(orgScope(orgId), id)));
  expect(answers).toEqual(['a/1', 'a b/1', 'a/2', undefined, undefined, 'a/1']);
  expect(queries).toEqual([
    ['a', ['1', '2', '3']],
    ['a b', ['1']],
    ['b', ['1']],
  ]);
});
