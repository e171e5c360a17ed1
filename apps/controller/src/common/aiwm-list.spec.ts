import { ReinsError } from '@reins/shared/errors';
import { z } from 'zod';
import { type AiwmListRules, filterFlag, filterText, parseAiwmList } from './aiwm-list';

const EQUALS = z.object({ status: z.enum(['on', 'off']), tags: filterText, local: filterFlag });
const RULES: AiwmListRules<typeof EQUALS> = { equals: EQUALS, contains: ['name'], sort: ['name', 'createdAt'] };

const refused = (url: string, rules = RULES) => {
  try {
    parseAiwmList(url, rules);
  } catch (error) {
    return error instanceof ReinsError && Array.isArray(error.details) ? error.details.map(({ path }) => path) : error;
  }
  return 'not refused';
};

describe('parseAiwmList', () => {
  it('has defaults, newest first', () => {
    expect(parseAiwmList('/x', RULES)).toEqual({
      page: 1,
      limit: 10,
      filter: { equals: {}, contains: {} },
      sort: { _id: -1 },
    });
  });

  it('takes what the rules name, and ignores other parameters', () => {
    const url = '/x?page=3&limit=100&filter[status]=on&filter[local]=true&filter%5Bname%5D=a.*b&sort[name]=asc&y=1';
    expect(parseAiwmList(url, RULES)).toEqual({
      page: 3,
      limit: 100,
      filter: { equals: { status: 'on', local: true }, contains: { name: 'a.*b' } },
      sort: { name: 1, _id: -1 },
    });
  });

  it.each([
    ['filter[owner.orgId]=x', 'filter[owner.orgId]'],
    ['filter[orgId]=x', 'filter[orgId]'],
    ['filter[$or]=x', 'filter[$or]'],
    ['filter[$where]=1', 'filter[$where]'],
    ['filter[status][$ne]=on', 'filter[status][$ne]'],
    ['filter[name][$regex]=.*', 'filter[name][$regex]'],
    ['filter[status]=on&filter[status]=off', 'filter[status]'],
    ['filter[name]=a&filter[name]=b', 'filter[name]'],
    ['filter[status]=unknown', 'filter[status]'],
    ['filter[local]=1', 'filter[local]'],
    ['filter[name]=%00', 'filter[name]'],
    [`filter[tags]=${'x'.repeat(101)}`, 'filter[tags]'],
    ['filter[__proto__]=1', 'filter[__proto__]'],
    ['filter[constructor]=1', 'filter[constructor]'],
    ['filter=x', 'filter'],
    ['sort=-name', 'sort'],
    ['sort[secret]=1', 'sort[secret]'],
    ['sort[name]=2', 'sort[name]'],
    ['page=0', 'page'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1.5', 'limit'],
  ])('refuses %s and names it', (query, path) => {
    expect(refused(`/x?${query}`)).toContain(path);
  });

  it('refuses an empty filter unless the rules take it for none', () => {
    expect(refused('/x?filter[name]=')).toEqual(['filter[name]']);
    const rules = { ...RULES, emptyIsAbsent: true };
    expect(parseAiwmList('/x?filter[name]=&filter[status]=', rules).filter).toEqual({ equals: {}, contains: {} });
  });

  it('does not take an empty value for the permission to name any field', () => {
    const rules = { ...RULES, emptyIsAbsent: true };
    expect(refused('/x?filter[orgId]=', rules)).toEqual(['filter[orgId]']);
  });
});
