import { type Placement } from '@reins/shared/api/placement';
import { ReinsError } from '@reins/shared/errors';
import { placeOf } from './session-placement';

const gpu: Placement = { mode: 'first', labels: { gpu: 'yes' } };
const spread: Placement = { mode: 'min_load', labels: {} };

describe('where a session runs', () => {
  it.each([
    ['the default', {}, {}, 'process', { launcher: 'process', placement: null, agentId: null }],
    ['the default, external', {}, {}, 'external', { launcher: 'external', placement: spread, agentId: null }],
    ['the worker', {}, { placement: gpu }, 'process', { launcher: 'external', placement: gpu, agentId: null }],
    ['the worker', {}, { launcher: 'process', placement: gpu }, 'external', { launcher: 'process', placement: null }],
    ['the worker', {}, { launcher: 'external' }, 'process', { launcher: 'external', placement: spread }],
    ['the caller', { placement: gpu }, { launcher: 'process' }, 'process', { launcher: 'external', placement: gpu }],
    ['the caller', { selectionMode: 'last' }, {}, 'process', { placement: { mode: 'last', labels: {} } }],
    [
      'the caller',
      { agentId: 'a' },
      { placement: gpu },
      'process',
      { launcher: 'external', placement: null, agentId: 'a' },
    ],
  ] as const)('is said by %s: %j %j %s', (_who, request, worker, byDefault, expected) => {
    expect(placeOf(request, worker, byDefault)).toMatchObject(expected);
  });

  it('two ways of saying it are refused, and named', () => {
    const both = (): unknown => placeOf({ agentId: 'a', selectionMode: 'first' }, {}, 'process');
    expect(both).toThrow(ReinsError);
    expect(both).toThrow('Validation Error');
  });
});
