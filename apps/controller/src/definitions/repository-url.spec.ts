import { ReinsError } from '@reins/shared/errors';
import { checkRepositoryUrl, redactRepositoryUrl } from './repository-url';

const DEFAULT = ['https', 'ssh'];
const check =
  (url: string, schemes = DEFAULT) =>
  () =>
    checkRepositoryUrl(url, schemes, 'repository.url');

describe('checkRepositoryUrl', () => {
  it.each([
    'https://github.com/acme/app.git',
    'https://user:token@git.example/acme/app',
    'HTTPS://git.example:8443/a%20b.git',
    'ssh://git@git.example:2222/acme/app.git',
    'git@github.com:acme/app.git',
    'deploy-1@git.example:~/app',
  ])('takes %s', (url) => {
    expect(check(url)).not.toThrow();
  });

  it.each([
    '--upload-pack=touch /tmp/x',
    '-oProxyCommand=x',
    'ext::sh -c id',
    'ext::sh',
    'fd::17',
    'file:///etc',
    'http://git.example/app',
    'git://git.example/app',
    '/srv/repositories/app',
    '../app',
    'host:path',
    'git@host:-oProxyCommand=x',
    'git@-oProxyCommand=x:path',
    '-oX@host:path',
    'ssh://-oProxyCommand=x/path',
    'ssh://-oX@host/path',
    'ssh://%2doX@host/path',
    'https://',
    'https://[::1',
    'https://git.example/a b',
    'https://git.example/a\nb',
    'https://git.example/a%0ahost=evil',
    'https://git.example/a%00',
    'https://git.example\\@evil.example/',
    'git@host::x',
    '',
    ' https://git.example/a',
  ])('refuses %j', (url) => {
    expect(check(url)).toThrow(expect.objectContaining({ code: 'repository_refused' }) as ReinsError);
  });

  it('takes further schemes where they are configured', () => {
    expect(check('file:///srv/app', [...DEFAULT, 'file'])).not.toThrow();
    expect(check('http://127.0.0.1/app', [...DEFAULT, 'http'])).not.toThrow();
  });

  it('never repeats the URL in the error', () => {
    try {
      check('http://user:hunter2@git.example/a')();
      throw new Error('not refused');
    } catch (error) {
      const { message, details } = error as ReinsError;
      expect(JSON.stringify({ message, details })).not.toContain('hunter2');
      expect(details).toEqual([expect.objectContaining({ path: 'repository.url' })]);
    }
  });
});

describe('redactRepositoryUrl', () => {
  it.each([
    ['https://git.example/a', 'https://git.example/a'],
    ['https://token@git.example/a@b', 'https://***@git.example/a@b'],
    ['https://user:pa@ss@git.example/a', 'https://***@git.example/a'],
    ['ssh://git:pw@git.example/a', 'ssh://git:***@git.example/a'],
    ['ssh://git@git.example/a', 'ssh://git@git.example/a'],
    ['git@git.example:a', 'git@git.example:a'],
  ])('writes %s as %s', (url, shown) => {
    expect(redactRepositoryUrl(url)).toBe(shown);
  });
});
