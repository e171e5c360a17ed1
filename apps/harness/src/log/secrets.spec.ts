import { createLogger } from './logger';
import { Secrets } from './secrets';

const JWT = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwMTIzNDU2Nzg5In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg';
const TELEGRAM = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawQ';
const DISCORD = ['MTIzNDU2Nzg5MDEyMzQ1Njc4', 'GaBcDe', 'abcdefghijklmnopqrstuvwxyz0123456789AB'].join('.');

function holding(...values: string[]): Secrets {
  const secrets = new Secrets();
  values.forEach((value) => secrets.add(value));
  return secrets;
}

describe('a secret that was added', () => {
  it.each([
    [64, 10],
    [20, 10],
    [19, 4],
    [12, 3],
    [8, 2],
    [4, 1],
  ])('of %d characters shows %d', (length, visible) => {
    const secret = 'q7'.repeat(32).slice(0, length);
    const line = holding(secret).redact(`connect with <${secret}> failed`);
    expect(line).toBe(`connect with <${secret.slice(0, visible)}…> failed`);
  });

  it('is cut where it appears more than once, and in an address', () => {
    const secret = 'p@ss word/that+is long';
    const line = holding(secret).redact(`${secret} ${secret} /x?t=${encodeURIComponent(secret)}`);
    expect(line).toBe('p@ss word/… p@ss word/… /x?t=p%40ss%20w…');
  });

  it('is cut whole where it begins with another one', () => {
    const [short, long] = ['0123456789abcdefghij', '0123456789abcdefghij-and-more'];
    expect(holding(short, long).redact(long)).toBe('0123456789…');
    expect(holding(long, short).redact(long)).toBe('0123456789…');
  });

  it('with quotes and line breaks neither shows nor breaks the line', () => {
    const secret = '"\\\n"0123456789abcdef';
    const lines: string[] = [];
    const secrets = holding(secret);
    const log = createLogger({ level: 'info', secrets, write: (line) => lines.push(line) });
    log.info('x', { plain: secret, nested: JSON.stringify({ secret }) });
    expect(lines[0]).not.toContain('9abcdef');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ plain: '"\\\n"012345…' });
  });
});

describe('secrets by their looks', () => {
  it.each([
    ['a JSON Web Token', `token ${JWT} expired`, 'token eyJhbGciOi… expired'],
    ['a bearer header', 'Authorization: Bearer abcdefghijklmnop', 'Authorization: Bearer abcdefghij…'],
    ['a Telegram token', `bot ${TELEGRAM} failed`, 'bot 123456789:… failed'],
    [
      'a Telegram address',
      `https://api.telegram.org/bot${TELEGRAM}/getMe`,
      'https://api.telegram.org/bot123456789:…/getMe',
    ],
    ['a Discord token', `login ${DISCORD}.`, 'login MTIzNDU2Nz….'],
    ["a provider's key", 'key sk-ant-oat01-abcdefghijklmnop', 'key sk-ant-oat…'],
    ['credentials in an address', 'http://bob:hunter2@git.example', 'http://***@git.example'],
  ])('%s is cut without being known', (_what, text, expected) => {
    expect(new Secrets().redact(text)).toBe(expected);
  });

  it('leaves ids, times and ordinary words alone', () => {
    const line = 'sess-1 0123456789abcdef01234567 2026-11-21T13:00:00.000Z task-of-a-long-name claude-3-5-haiku-latest';
    expect(new Secrets().redact(line)).toBe(line);
  });
});

describe('addNamed', () => {
  it('finds the tokens of settings, environments and headers at any depth', () => {
    const secrets = new Secrets();
    secrets.addNamed({
      claude_oauthToken: 'value-of-the-oauth-token',
      maxTokens: 'not-a-secret-at-all-this',
      claude_model: 'claude-3-5-haiku-latest',
      discord: { token: 'value-of-the-discord-token', channelIds: ['123456789'] },
      telegram_token: 'value-of-the-telegram-token',
      ANTHROPIC_API_KEY: 'value-of-the-provider-key',
      servers: [{ headers: { Authorization: 'Bearer value-of-the-header-token' } }],
    });
    const values = ['oauth', 'discord', 'telegram', 'header'].map((name) => `value-of-the-${name}-token`);
    for (const value of [...values, 'value-of-the-provider-key']) {
      expect(secrets.redact(value)).toBe(`${value.slice(0, 10)}…`);
    }
    for (const plain of ['not-a-secret-at-all-this', 'claude-3-5-haiku-latest', '123456789']) {
      expect(secrets.redact(plain)).toBe(plain);
    }
  });
});
