import { Global, Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { NodeStoreModule } from '../definitions/nodes/node-store.module';
import { AccessGuard } from './access.guard';
import { ApiKeysController } from './api-keys.controller';
import { ApiKeysRepository } from './api-keys.repository';
import { ApiKeysService } from './api-keys.service';
import { ApiKeyVerifier, Authenticator, ViewerTokenVerifier } from './authenticator';
import { DeniedAttempts } from './denied-attempts';
import { LiveAccess } from './live-access';
import { TokenRevocations } from './token-revocations';
import { TokenRevocationsController } from './token-revocations.controller';
import { TokenRevocationsRepository } from './token-revocations.repository';
import { TokenRevocationsService } from './token-revocations.service';
import { TokenService } from './token.service';
import { ViewerTokensRepository } from './viewer-tokens.repository';
import { ViewerTokensService } from './viewer-tokens.service';

/** Who calls, and what they may do. */
@Global()
@Module({
  imports: [AgentStoreModule, NodeStoreModule],
  controllers: [ApiKeysController, TokenRevocationsController],
  providers: [
    TokenService,
    Authenticator,
    AccessGuard,
    DeniedAttempts,
    LiveAccess,
    ApiKeysRepository,
    ApiKeysService,
    { provide: ApiKeyVerifier, useExisting: ApiKeysService },
    TokenRevocations,
    TokenRevocationsRepository,
    TokenRevocationsService,
    ViewerTokensRepository,
    ViewerTokensService,
    { provide: ViewerTokenVerifier, useExisting: ViewerTokensService },
  ],
  exports: [TokenService, Authenticator, AccessGuard, LiveAccess, ViewerTokensService],
})
export class AccessModule {}
