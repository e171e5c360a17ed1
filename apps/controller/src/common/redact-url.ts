const TOKEN_PARAMETER = 'access_token';

/** A request's address fit for logs and answers: a token in its query is `***`, however its name is written. */
export function redactUrl(url: string | undefined): string | undefined {
  const start = url?.indexOf('?') ?? -1;
  if (url === undefined || start < 0) return url;
  return (
    url.slice(0, start + 1) +
    url
      .slice(start + 1)
      .split('&')
      .map(redactPair)
      .join('&')
  );
}

function redactPair(pair: string): string {
  const name = pair.split('=', 1)[0] ?? '';
  return decoded(name).toLowerCase().includes(TOKEN_PARAMETER) ? `${name}=***` : pair;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Broken escapes: what a lenient parser makes of them is not known here, so the plain letters have to do.
    return text;
  }
}
