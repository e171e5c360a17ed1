import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Config } from './config';
import { ListenAddress } from './listen-address';

/** Makes the one Config known to every room. */
@Global()
@Module({})
export class ConfigModule {
  static with(config: Config): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: Config, useValue: config }, ListenAddress],
      exports: [Config, ListenAddress],
    };
  }
}
