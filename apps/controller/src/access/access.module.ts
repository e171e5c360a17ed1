import { Global, Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { AgentStoreModule } from '../agents/agent-store.module';
import { Config } from '../config/config';
import { AccessGuard } from './access.guard';
import { ApiKeysController } from './api-keys.controller';
import { ApiKeysRepository } from './api-keys.repository';
import { ApiKeysService } from './api-keys.service';
import { ApiKeyVerifier, Authenticator } from './authenticator';
import { TokenService } from './token.service';

/** Who calls, and what they may do. */
@Global()
@Module({
  imports: [
    AgentStoreModule,
    JwtModule.registerAsync({
      inject: [Config],
      useFactory: (config: Config) => ({ secret: config.jwtSecret, signOptions: { algorithm: 'HS256' } }),
    }),
  ],
  controllers: [ApiKeysController],
  providers: [
    TokenService,
    Authenticator,
    AccessGuard,
    ApiKeysRepository,
    ApiKeysService,
    { provide: ApiKeyVerifier, useExisting: ApiKeysService },
  ],
  exports: [TokenService, Authenticator, AccessGuard],
})
export class AccessModule {}
