import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ReinsError } from '@reins/shared/errors';
import { Authenticator } from './authenticator';
import { AGENT_ROUTE, type AuthenticatedRequest, PERMISSION, PUBLIC_ROUTE } from './decorators';
import { demand, type Permission } from './principal';

const BY_METHOD: Record<string, Permission> = { GET: 'read', HEAD: 'read', DELETE: 'delete' };

/** Every route is closed unless it says otherwise. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC_ROUTE, targets)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const { authorization, host } = request.headers;
    const principal = await this.authenticator.authenticate(authorization, host);
    request.principal = principal;
    if (principal.kind === 'agent') {
      if (this.reflector.getAllAndOverride<boolean>(AGENT_ROUTE, targets)) return true;
      throw new ReinsError('forbidden', { message: 'An agent token reaches its own agent and sessions only.' });
    }
    const named = this.reflector.getAllAndOverride<Permission | undefined>(PERMISSION, targets);
    demand(principal, named ?? BY_METHOD[request.method] ?? 'write');
    return true;
  }
}
