import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type EventItem } from '@reins/shared/link/events';

interface Segment {
  path: string;
  fd: number;
  firstN: number;
  /** Where each event of the segment starts; the last entry is the end of the file. */
  offsets: number[];
}

export interface SpoolStoreOptions {
  directory: string;
  segmentBytes?: number;
  /** Events kept in memory too, so that the usual case never reads the disk. */
  cacheBytes?: number;
  /** Told once when the disk takes no more; events then stay in memory. */
  onDiskError?: (error: unknown) => void;
  /** The number of the first event. */
  firstNumber?: number;
}

/** Where an emptied file is cut instead of written on. */
const TRUNCATE_ABOVE_BYTES = 64 * 1024;

/**
 * Numbered events on disk, a line each, oldest first: segments that are deleted when everything in them is acknowledged. Written
 * before an event is sent, without fsync: they outlive a blocked link and a crash of the process, not of the machine.
 */
export class SpoolStore {
  private readonly segments: Segment[] = [];
  private readonly cache = new Map<number, { item: EventItem; bytes: number }>();
  private cached = 0;
  private released: number;
  private diskFailed = false;
  private files = 0;
  private readonly segmentBytes: number;
  private readonly cacheBytes: number;

  constructor(private readonly options: SpoolStoreOptions) {
    this.released = (options.firstNumber ?? 1) - 1;
    this.segmentBytes = options.segmentBytes ?? 4 * 1024 * 1024;
    this.cacheBytes = options.cacheBytes ?? 1024 * 1024;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** Events come in the order of their numbers; `json` is the event as it will be sent. */
  append(item: EventItem, json: string): void {
    const bytes = Buffer.byteLength(json);
    const onDisk = this.write(item.n, json, bytes);
    if (!onDisk || this.cached + bytes <= this.cacheBytes) {
      this.cache.set(item.n, { item, bytes });
      this.cached += bytes;
    }
  }

  read(n: number): EventItem {
    const cached = this.cache.get(n);
    if (cached !== undefined) return cached.item;
    const segment = this.segments.findLast((candidate) => candidate.firstN <= n);
    const start = segment?.offsets[n - segment.firstN];
    const end = segment?.offsets[n - segment.firstN + 1];
    if (segment === undefined || start === undefined || end === undefined) throw new Error(`event ${n} is not spooled`);
    const buffer = Buffer.allocUnsafe(end - start);
    readSync(segment.fd, buffer, 0, buffer.length, start);
    return JSON.parse(buffer.toString('utf8')) as EventItem;
  }

  /** The event that is sent under this number from now on. */
  replace(item: EventItem): void {
    const bytes = Buffer.byteLength(JSON.stringify(item));
    this.cached += bytes - (this.cache.get(item.n)?.bytes ?? 0);
    this.cache.set(item.n, { item, bytes });
  }

  /** Forgets everything up to and including `n`. */
  release(n: number): void {
    for (; this.released < n; this.released++) {
      const entry = this.cache.get(this.released + 1);
      if (entry === undefined) continue;
      this.cached -= entry.bytes;
      this.cache.delete(this.released + 1);
    }
    for (let segment = this.segments[0]; segment !== undefined && lastN(segment) <= n; segment = this.segments[0]) {
      const isOpen = this.segments.length === 1;
      const size = segment.offsets.at(-1) ?? 0;
      if (isOpen && size < TRUNCATE_ABOVE_BYTES) return;
      if (isOpen) return this.restart(segment);
      this.drop(segment);
      this.segments.shift();
    }
  }

  /** Bytes of all files. */
  get diskBytes(): number {
    return this.segments.reduce((sum, segment) => sum + (segment.offsets.at(-1) ?? 0), 0);
  }

  /** `keep`: the files stay for the next process. */
  close(keep = false): void {
    for (const segment of this.segments.splice(0)) {
      if (keep) closeSync(segment.fd);
      else this.drop(segment);
    }
    this.cache.clear();
  }

  private write(n: number, json: string, bytes: number): boolean {
    if (this.diskFailed) return false;
    try {
      const segment = this.openSegment(n);
      const start = segment.offsets.at(-1) ?? 0;
      writeSync(segment.fd, `${json}\n`, start, 'utf8');
      segment.offsets.push(start + bytes + 1);
      return true;
    } catch (error) {
      this.diskFailed = true;
      this.options.onDiskError?.(error);
      return false;
    }
  }

  private openSegment(n: number): Segment {
    const last = this.segments.at(-1);
    if (last !== undefined && (last.offsets.at(-1) ?? 0) < this.segmentBytes) {
      if (last.offsets.length === 1) last.firstN = n;
      return last;
    }
    const path = join(this.options.directory, `${++this.files}.events`);
    const segment: Segment = { path, fd: openSync(path, 'w+', 0o600), firstN: n, offsets: [0] };
    this.segments.push(segment);
    return segment;
  }

  private restart(segment: Segment): void {
    ftruncateSync(segment.fd, 0);
    segment.offsets = [0];
    segment.firstN = this.released + 1;
  }

  private drop(segment: Segment): void {
    closeSync(segment.fd);
    rmSync(segment.path, { force: true });
  }
}

function lastN(segment: Segment): number {
  return segment.firstN + segment.offsets.length - 2;
}
