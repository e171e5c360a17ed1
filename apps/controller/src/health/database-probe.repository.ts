import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { systemClock } from '@reins/shared/util';
import { type Connection, ConnectionStates } from 'mongoose';

@Injectable()
export class DatabaseProbe {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  /** Whether the database answers a ping within the time. Never throws. */
  async answers(withinMs: number): Promise<boolean> {
    const { db, readyState } = this.connection;
    if (db === undefined || readyState !== ConnectionStates.connected) return false;
    const waiting = new AbortController();
    try {
      const pong = db.command({ ping: 1 }).then(
        () => true,
        () => false,
      );
      const late = systemClock.sleep(withinMs, waiting.signal).then(
        () => false,
        () => false,
      );
      return await Promise.race([pong, late]);
    } finally {
      waiting.abort();
    }
  }
}
