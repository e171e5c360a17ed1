import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Collection, type Connection } from 'mongoose';

interface MarkDocument {
  _id: string;
  through: Date;
  surroundings: string;
}

const ID = 'agent-configurations';
const LONG_AGO = new Date(0);

/** Up to when every edit is known to have reached the versions of the agents' configurations. */
@Injectable()
export class ConfigurationMarkRepository {
  private readonly marks: Collection<MarkDocument>;

  constructor(@InjectConnection() connection: Connection) {
    this.marks = connection.collection<MarkDocument>('marks');
  }

  /** The beginning of time where nothing is known, or where the versions were made under other surroundings. */
  async read(surroundings: string): Promise<Date> {
    const mark = await this.marks.findOne({ _id: ID });
    return mark === null || mark.surroundings !== surroundings ? LONG_AGO : mark.through;
  }

  async advance(through: Date, surroundings: string): Promise<void> {
    await this.marks.updateOne({ _id: ID }, { $set: { surroundings }, $max: { through } }, { upsert: true });
  }
}
