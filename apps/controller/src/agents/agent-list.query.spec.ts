import { ReinsError } from '@reins/shared/errors';
import { parseAgentList } from './agent-list.query';

describe('parseAgentList', () => {
  it('has defaults', () => {
    expect(parseAgentList('/agents')).toEqual({
      page: 1,
      limit: 10,
      filter: { equals: {}, contains: {} },
      sort: { _id: -1 },
    });
  });

  it('takes whitelisted filters and sorts', () => {
    const url =
      '/agents?page=2&limit=5&filter[status]=active&filter%5Bname%5D=a.*b&sort[createdAt]=-1&sort[name]=asc&x=1';
    expect(parseAgentList(url)).toEqual({
      page: 2,
      limit: 5,
      filter: { equals: { status: 'active' }, contains: { name: 'a.*b' } },
      sort: { createdAt: -1, name: 1, _id: -1 },
    });
  });

  it.each([
    'filter[owner.orgId]=x',
    'filter[orgId]=x',
    'filter[secretHash]=x',
    'filter[$or]=x',
    'filter[$where]=1',
    'filter[status][$ne]=active',
    'filter[name][$regex]=.*',
    'filter[status]=unknown',
    'filter[status]=active&filter[status]=busy',
    'filter[name]=',
    'filter[name]=%00',
    `filter[name]=${'x'.repeat(101)}`,
    'filter={"status":"active"}',
    'filter=x',
    'filter[]=x',
    'sort=-createdAt',
    'sort[secretHash]=1',
    'sort[createdAt]=2',
    'sort[constructor]=1',
    'filter[__proto__]=1',
    'page=0',
    'page=x',
    'limit=0',
    'limit=101',
    'limit=1.5',
  ])('refuses %s', (query) => {
    expect(() => parseAgentList(`/agents?${query}`)).toThrow(
      expect.objectContaining({ code: 'validation_failed' }) as ReinsError,
    );
  });
});
