import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { newId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';

interface Installation {
  _id: 'installation';
  id: string;
}

/** Who this controller is, and every other one on its database: what they make elsewhere is marked with it. */
@Injectable()
export class InstallationRepository {
  private known: Promise<string> | undefined;

  constructor(@InjectConnection() private readonly connection: Connection) {}

  /** The same for as long as the database lives. */
  id(): Promise<string> {
    const asked = (this.known ??= this.read());
    asked.catch(() => (this.known = undefined));
    return asked;
  }

  private async read(): Promise<string> {
    const collection = this.connection.collection<Installation>('installation');
    const found = await collection.findOneAndUpdate(
      { _id: 'installation' },
      { $setOnInsert: { id: newId('installation') } },
      { upsert: true, returnDocument: 'after' },
    );
    if (found === null) throw new Error('an upsert answers the document');
    return found.id;
  }
}
