import { Global, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { InjectConnection, MongooseModule } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { Config } from '../config/config';
import { wakeWritersOfClosedSockets } from '@reins/shared/util/closed-sockets';
import { DatabaseAddress } from './database-address';
import { InstallationRepository } from './installation.repository';

wakeWritersOfClosedSockets();

/** A database that is away at the boot is waited for: the controller does not crash in a loop over it. */
const FOREVER = Number.MAX_SAFE_INTEGER;
const RETRY_EVERY_MS = 1000;

@Global()
@Module({ providers: [DatabaseAddress], exports: [DatabaseAddress] })
class DatabaseAddressModule {}

/** Nothing is served before every index is there: unique ones decide races. */
@Injectable()
class Indexes implements OnModuleInit {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  async onModuleInit(): Promise<void> {
    await Promise.all(Object.values(this.connection.models).map((model) => model.init()));
  }
}

@Global()
@Module({
  imports: [
    DatabaseAddressModule,
    MongooseModule.forRootAsync({
      imports: [DatabaseAddressModule],
      inject: [DatabaseAddress, Config],
      useFactory: async (address: DatabaseAddress, config: Config) => ({
        ...named(await address.uri()),
        appName: 'reins-controller',
        autoIndex: true,
        autoCreate: true,
        bufferCommands: false,
        noDelay: true,
        serverSelectionTimeoutMS: config.env.DATABASE_TIMEOUT_MS,
        socketTimeoutMS: 6 * config.env.DATABASE_TIMEOUT_MS,
        retryAttempts: FOREVER,
        retryDelay: RETRY_EVERY_MS,
      }),
    }),
  ],
  providers: [Indexes, InstallationRepository],
  exports: [InstallationRepository],
})
export class DatabaseModule {}

/** The database that the URI names, else `reins`. */
function named(uri: string): { uri: string; dbName?: string } {
  return /^mongodb(\+srv)?:\/\/[^/]+\/[^?]/.test(uri) ? { uri } : { uri, dbName: 'reins' };
}
