import { type LinkEnd } from '../link/link-end';
import { withWayOut } from './way-out';

const end = (reason: LinkEnd['reason']): LinkEnd => ({ reason, message: 'it is over' });

describe('withWayOut', () => {
  it.each(['refused', 'not_found', 'revoked'] as const)('says how to go on after %s', (reason) => {
    expect(withWayOut(end(reason), '/state/credentials.json')).toMatch(
      /^it is over; .*delete \/state\/credentials\.json and start it with a valid REINS_ENROLLMENT_TOKEN$/,
    );
    expect(withWayOut(end(reason), undefined)).toBe('it is over');
  });

  it.each(['superseded', 'unsupported', 'ended', 'closed'] as const)('has nothing to add to %s', (reason) => {
    expect(withWayOut(end(reason), '/state/credentials.json')).toBe('it is over');
  });
});
