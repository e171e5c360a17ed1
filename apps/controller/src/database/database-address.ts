import { join } from 'node:path';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type EmbeddedMongo, ensureEmbeddedMongo } from '@reins/embedded-mongo';
import { Config } from '../config/config';

/** Where the database is: the server of MONGODB_URI, or the embedded engine, started here when it does not run yet. */
@Injectable()
export class DatabaseAddress implements OnApplicationShutdown {
  private readonly logger = new Logger('Database');
  private embedded: EmbeddedMongo | undefined;

  constructor(private readonly config: Config) {}

  async uri(): Promise<string> {
    const { MONGODB_URI, REINS_DATA_DIR } = this.config.env;
    if (MONGODB_URI !== undefined) return MONGODB_URI;
    const dir = join(REINS_DATA_DIR, 'database');
    this.embedded = await ensureEmbeddedMongo({
      dir,
      entry: join(__dirname, '..', '..', 'libs', 'embedded-mongo', 'main.js'),
      onLog: (message) => this.logger.log(message),
    });
    this.logger.log({ dir }, 'using the embedded database; set MONGODB_URI to use a MongoDB server');
    return this.embedded.uri;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.embedded?.close();
  }
}
