import { ReinsError } from '@reins/shared/errors';

/** `git@host:path`, git's short form of ssh. The path may not begin like a URL's or an option. */
const SCP_LIKE = /^([\w.~-]+)@([A-Za-z0-9][A-Za-z0-9.-]*):(?![-/:])[^\s:][^\s]*$/;
const URL_LIKE = /^([a-z][a-z0-9+.-]*):\/\//i;
/** Control characters, written out or percent-encoded: git passes decoded ones on to credential helpers. */
const CONTROL = /\p{Cc}|%[01][0-9a-f]|%7f/iu;

/**
 * Refuses what git would take for an option, a command or a scheme that is not in `schemes`. Throws 400
 * repository_refused; the message never repeats the URL, which may carry credentials.
 */
export function checkRepositoryUrl(url: string, schemes: readonly string[], field: string): void {
  const problem = problemOf(url, schemes);
  if (problem === undefined) return;
  throw new ReinsError('repository_refused', {
    details: [{ path: field, message: problem, code: 'repository_refused' }],
  });
}

function problemOf(url: string, schemes: readonly string[]): string | undefined {
  if (url.startsWith('-')) return 'must not begin with a dash';
  if (CONTROL.test(url) || /[\s\\]/u.test(url)) return 'must not contain spaces, backslashes or control characters';
  const scheme = URL_LIKE.exec(url)?.[1]?.toLowerCase() ?? (SCP_LIKE.test(url) ? 'ssh' : undefined);
  if (scheme === undefined) return 'is neither a URL nor of the form user@host:path';
  if (!schemes.includes(scheme)) return `has a scheme that is not allowed; allowed: ${schemes.join(', ')}`;
  return URL_LIKE.test(url) ? problemOfAuthority(url, scheme) : dashedPart(url.split('@')[0] ?? '');
}

function problemOfAuthority(url: string, scheme: string): string | undefined {
  if (!URL.canParse(url)) return 'is not a valid URL';
  const { hostname, username } = new URL(url);
  if (hostname === '' && scheme !== 'file') return 'names no host';
  return dashedPart(hostname) ?? dashedPart(decodeURIComponentOr(username));
}

/** A host or user that begins with a dash becomes an option of ssh. */
function dashedPart(part: string): string | undefined {
  return part.startsWith('-') ? 'has a host or user that begins with a dash' : undefined;
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '-';
  }
}

/** The URL as logs and answers may show it: user and password of a web address replaced by `***`. */
export function redactRepositoryUrl(url: string): string {
  return url
    .replace(/^((?:https?|file|ftps?|git):\/\/)[^/@]*(?:@[^/@]*)*@/i, '$1***@')
    .replace(/^(ssh:\/\/[^/@:]*):[^/@]*@/i, '$1:***@');
}
