import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { create } from 'tar';
import { Config } from '../config/config';

export interface PackedHarness {
  /** A gzipped tar of the built harness: `main.js` and what it loads. */
  bytes: Buffer;
  sha256: string;
}

/** The harness built beside this controller, as the archive that install scripts fetch. Packed once, when first asked. */
@Injectable()
export class HarnessPackage {
  private readonly logger = new Logger('HarnessPackage');
  private packed: Promise<PackedHarness> | undefined;

  constructor(private readonly config: Config) {}

  /** Throws 404 where no harness was built. */
  async get(): Promise<PackedHarness> {
    this.packed ??= pack(this.config.env.HARNESS_PACKAGE_DIR ?? join(__dirname, '..', 'harness'));
    try {
      return await this.packed;
    } catch (error) {
      this.packed = undefined;
      this.logger.warn({ err: error }, 'the harness could not be packed');
      const message = 'This controller has no built harness to hand out; npm run build:harness makes it';
      throw new ReinsError('not_found', { message, cause: error });
    }
  }

  /** The checksum that install scripts compare with; undefined where no harness was built. */
  async sha256(): Promise<string | undefined> {
    return this.get().then(
      ({ sha256 }) => sha256,
      () => undefined,
    );
  }
}

/** The same bytes for the same build, whoever packs them: neither times nor owners are in the archive. */
async function pack(folder: string): Promise<PackedHarness> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => /\.(js|cjs|mjs|json)$/.test(name)).sort();
  if (!files.includes('main.js')) throw new Error(`${folder} has no main.js`);
  const chunks: Buffer[] = [];
  const archive = create({ gzip: true, cwd: folder, portable: true, mtime: new Date(0) }, files);
  for await (const chunk of archive) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}
