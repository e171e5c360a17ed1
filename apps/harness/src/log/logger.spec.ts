import { createLogger, Secrets } from './logger';

function recording(): { lines: string[]; secrets: Secrets; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  const secrets = new Secrets();
  const logger = createLogger({ level: 'info', secrets, write: (line) => lines.push(line) });
  return { lines, secrets, logger };
}

describe('logger', () => {
  it('writes one JSON object a line, with the ids of its parents', () => {
    const { lines, logger } = recording();
    logger.child({ agentId: 'a' }).child({ sessionId: 's' }).warn('stalled', { turnId: 't' });
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
      level: 'warn',
      msg: 'stalled',
      agentId: 'a',
      sessionId: 's',
      turnId: 't',
    });
  });

  it('leaves out what is below its level', () => {
    const { lines, logger } = recording();
    logger.debug('detail');
    expect(lines).toEqual([]);
  });

  it('shows at most ten characters of a secret, wherever it appears', () => {
    const { lines, secrets, logger } = recording();
    const secret = 'a1b2c3d4e5f6a7b8c9d0';
    secrets.add(secret);
    logger.info(`connect with ${secret} failed`, { body: `{"secret":"${secret}"}` });
    expect(lines[0]).not.toContain(secret);
    expect(lines[0]).not.toContain(secret.slice(0, 11));
    expect(lines[0]).toContain(secret.slice(0, 10));
  });

  it('shows no credentials of a URL', () => {
    const { lines, logger } = recording();
    logger.error('fatal: could not read https://bob:hunter2@git.example/x.git');
    expect(lines[0]).toContain('https://***@git.example/x.git');
    expect(lines[0]).not.toContain('hunter2');
  });
});
