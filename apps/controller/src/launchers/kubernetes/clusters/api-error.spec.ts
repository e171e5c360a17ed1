import { ApiException } from '@kubernetes/client-node';
import { ClusterError, toClusterError } from './api-error';

const refusal = (code: number, message: string): ApiException<string> =>
  new ApiException(code, 'refused', JSON.stringify({ kind: 'Status', message }), {});

describe('toClusterError', () => {
  it.each([
    [409, 'jobs.batch "x" already exists', 'conflict'],
    [404, 'namespaces "x" not found', 'missing'],
    [403, 'jobs.batch "x" is forbidden: exceeded quota: q', 'quota'],
    [403, 'jobs.batch is forbidden: User "u" cannot create resource "jobs"', 'forbidden'],
    [403, 'admission webhook denied the request', 'refused'],
    [401, 'Unauthorized', 'forbidden'],
    [422, 'Job.batch "x" is invalid: spec', 'refused'],
    [429, 'too many requests', 'away'],
    [503, 'the server is shutting down', 'away'],
  ])('knows %i %s as %s', (code, message, trouble) => {
    expect(toClusterError(refusal(code, message))).toMatchObject({ trouble, message });
  });

  it('takes what is no answer at all for an absence, and keeps what it knows already', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 192.0.2.1:6443'), { code: 'ECONNREFUSED' });
    expect(toClusterError(refused)).toMatchObject({ trouble: 'away', cause: refused });
    const known = new ClusterError('missing', 'gone');
    expect(toClusterError(known)).toBe(known);
    expect(toClusterError(new ApiException(500, 'x', 'no json', {}))).toMatchObject({ trouble: 'away' });
  });
});
