import { createHash } from 'node:crypto';
import { LINK } from '@reins/shared/link/limits';

export interface OversizeOptions {
  inlineBytes?: number;
  /** Stores the bytes at the controller; rejects when it cannot. */
  upload: (content: Buffer, contentType: string, sha256: string) => Promise<{ blobId: string }>;
  /** Told of data that could not be stored and is cut to its beginning. */
  onLoss: (message: string) => void;
}

type Data = Record<string, unknown>;

/** Types that are nothing but text lose nothing when they become several events. */
const DIVISIBLE: ReadonlySet<string> = new Set(['text', 'thinking', 'stdout', 'stderr', 'console']);

/**
 * Brings event data to a size that may travel on the socket. Answers the data of one or, for plain text, several events
 * of the same type. Anything else above the limit is stored as a blob and replaced by its beginning and a reference.
 */
export async function fitData(type: string, data: Data, options: OversizeOptions): Promise<Data[]> {
  const { inlineBytes = LINK.inlineBytes } = options;
  const json = JSON.stringify(data);
  if (json.length * 3 <= inlineBytes || Buffer.byteLength(json) <= inlineBytes) return [data];
  if (DIVISIBLE.has(type) && typeof data.text === 'string') {
    // Escaping makes a character at most six bytes, so a piece always fits.
    const parts = pieces(data.text, Math.floor(inlineBytes / 8));
    // A console event is a line; the parts of one say that they belong together.
    const mark = (index: number): Data => (type === 'console' && index < parts.length - 1 ? { continues: true } : {});
    return parts.map((text, index) => ({ ...data, text, ...mark(index) }));
  }
  const content = Buffer.from(json);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const preview = beginning(typeof data.text === 'string' ? data.text : json, LINK.previewBytes);
  try {
    const { blobId } = await options.upload(content, 'application/json', sha256);
    return [{ ...identity(data), preview, sizeBytes: content.length, sha256, blobId }];
  } catch (error) {
    options.onLoss(
      `data of a ${type} event (${content.length} bytes) could not be stored and was cut: ` +
        (error instanceof Error ? error.message : String(error)),
    );
    return [shortened(data)];
  }
}

/** What tells the event from its siblings, such as the call a result belongs to. */
function identity(data: Data): Data {
  const short = (value: unknown): boolean =>
    typeof value === 'boolean' || (typeof value === 'string' && value.length <= 256);
  return Object.fromEntries(['id', 'name', 'isError'].flatMap((key) => (short(data[key]) ? [[key, data[key]]] : [])));
}

/** The same fields with every long text cut, so that the event still has the shape of its type. */
function shortened(data: Data): Data {
  const cut = (value: unknown): unknown => {
    if (typeof value === 'string') return beginning(value, LINK.previewBytes);
    if (typeof value !== 'object' || value === null) return value;
    const json = JSON.stringify(value);
    return json.length <= LINK.previewBytes ? value : { preview: beginning(json, LINK.previewBytes) };
  };
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, cut(value)]));
}

/** At most `bytes` bytes of the text's beginning, never half a character. */
export function beginning(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const buffer = Buffer.from(text).subarray(0, bytes);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(buffer, { stream: true });
}

function pieces(text: string, characters: number): string[] {
  const out: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + characters, text.length);
    const last = text.charCodeAt(end - 1);
    // A high surrogate at the cut belongs to the next piece.
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end--;
    out.push(text.slice(start, end));
    start = end;
  }
  return out;
}
