import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { randomBytes } from 'node:crypto';
import { type Connection } from 'mongoose';

/** The name of everything that uses this database, told apart from its neighbours in a shared Redis or cluster. */
@Injectable()
export class InstallationRepository {
  private known: Promise<string> | undefined;

  constructor(@InjectConnection() private readonly connection: Connection) {}

  /** The same for every controller of the database, made by the first of them. */
  id(): Promise<string> {
    this.known ??= this.read().catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
    return this.known;
  }

  private async read(): Promise<string> {
    const marks = this.connection.collection<{ _id: string; value: string }>('marks');
    const _id = 'installation';
    await marks.updateOne({ _id }, { $setOnInsert: { value: randomBytes(8).toString('hex') } }, { upsert: true });
    return (await marks.findOne({ _id }))?.value ?? '';
  }
}
