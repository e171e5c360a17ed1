import { childEnvironment } from '../config/child-env';
import { ConfigError } from '../config/load-config';
import { enrollmentEnvironment } from './enrollment-environment';

const REINS_ENROLLMENT_TOKEN = 're_the-token';

describe('enrollmentEnvironment', () => {
  it('is nothing without a token', () => {
    expect(enrollmentEnvironment({ AGENT_NAME: 'n' })).toBeUndefined();
    expect(enrollmentEnvironment({ REINS_ENROLLMENT_TOKEN: ' \n' })).toBeUndefined();
  });

  it('reads the token without the line break of the file it came from, a name and labels', () => {
    const env = { REINS_ENROLLMENT_TOKEN: `${REINS_ENROLLMENT_TOKEN}\n`, AGENT_NAME: `it's "one" $(id)` };
    expect(enrollmentEnvironment({ ...env, AGENT_LABELS: ' zone = eu-1, a/b.c=x=y ,empty=,' })).toEqual({
      token: REINS_ENROLLMENT_TOKEN,
      name: `it's "one" $(id)`,
      labels: { zone: 'eu-1', 'a/b.c': 'x=y', empty: '' },
    });
    expect(enrollmentEnvironment({ REINS_ENROLLMENT_TOKEN })).toMatchObject({ name: undefined, labels: {} });
  });

  it.each([
    ['S14 a line break in the name', { AGENT_NAME: 'web\nAIWM_BASE_URL=http://evil' }, 'AGENT_NAME must not contain'],
    [
      'S14 a line separator in the name',
      { AGENT_NAME: 'web\u2028x' },
      'AGENT_NAME must not contain control characters or line breaks',
    ],
    ['a long name', { AGENT_NAME: 'x'.repeat(101) }, 'AGENT_NAME must have at most 100 characters'],
    ['a label without =', { AGENT_LABELS: 'zone' }, 'AGENT_LABELS must be key=value pairs'],
    ['a label that is an operator', { AGENT_LABELS: '$where=1' }, 'AGENT_LABELS is not usable: a label'],
    ['S14 a label with a line break', { AGENT_LABELS: 'zone=a\nb' }, 'AGENT_LABELS is not usable: a label must not'],
  ])('%s is refused before the controller is asked', (_, env, message) => {
    const reading = (): unknown => enrollmentEnvironment({ REINS_ENROLLMENT_TOKEN, ...env });
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(message);
    expect(reading).not.toThrow('evil');
  });

  it('the token never reaches the agent’s own process', () => {
    expect(childEnvironment({ REINS_ENROLLMENT_TOKEN, AGENT_LABELS: 'a=b' })).toEqual({});
  });
});
