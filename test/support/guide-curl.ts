import { spawn } from 'node:child_process';

/** One curl command of a guide: what was written after `curl`, as data. The body is kept letter by letter. */
export interface CurlCommand {
  /** Left out where the guide gives none: curl then sends GET. */
  method?: string;
  path: string;
  headers?: readonly string[];
  body?: string;
}

export interface CurlAnswer {
  status: number;
  contentType: string;
  text: string;
}

const ANSWER_WITHIN_MS = 150_000;

/** Runs the real curl against another host. `ids` replaces the guide's sample ids, which no server could have given. */
export async function curl(
  host: string,
  command: CurlCommand,
  ids: Readonly<Record<string, string>> = {},
): Promise<CurlAnswer> {
  const { method, path, headers = [], body } = command;
  const filled = (text: string): string =>
    Object.entries(ids).reduce((done, [sample, real]) => done.replaceAll(sample, real), text);
  const output = await run([
    ...(method === undefined ? [] : ['-X', method]),
    host + filled(path),
    ...headers.flatMap((header) => ['-H', filled(header)]),
    ...(body === undefined ? [] : ['-d', filled(body)]),
    '--silent',
    '--show-error',
    '--write-out',
    '\n%{http_code} %{content_type}',
  ]);
  const end = output.lastIndexOf('\n');
  const [status = '', ...contentType] = output.slice(end + 1).split(' ');
  return { status: Number(status), contentType: contentType.join(' '), text: output.slice(0, end) };
}

/** The answer's JSON, where it has the status. */
export async function curlJson<T = Record<string, unknown>>(
  status: number,
  ...request: Parameters<typeof curl>
): Promise<T> {
  const answer = await curl(...request);
  if (answer.status !== status) throw new Error(`curl got ${answer.status}, not ${status}: ${answer.text}`);
  return JSON.parse(answer.text) as T;
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    // No proxy and no .curlrc of the tester's: only what the guide wrote.
    const child = spawn('curl', args, {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: ANSWER_WITHIN_MS,
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', (error) => reject(new Error(`curl cannot be run; this test needs it: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`curl ended with ${code ?? signal}: ${err}`));
    });
  });
}
