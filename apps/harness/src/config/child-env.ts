const EXACT = new Set([
  'PATH',
  'HOME',
  'USER',
  'SHELL',
  'LANG',
  'TZ',
  'TMPDIR',
  'IS_SANDBOX',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]);

const PREFIXES = ['LC_', 'ANTHROPIC_', 'OPENAI_', 'GEMINI_', 'GOOGLE_GEMINI_', 'CLAUDE_', 'DISABLE_'];

/**
 * The environment an agent's process gets: what it needs to run and to reach its provider. Everything else stays out,
 * above all the harness's own identity, which would let an agent act as its harness.
 */
export function childEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => EXACT.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix))),
  );
}
