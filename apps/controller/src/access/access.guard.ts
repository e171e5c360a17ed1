import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Area, type Permission } from '@reins/shared/api/access';
import { HEADERS } from '@reins/shared/api/common';
import { ReinsError } from '@reins/shared/errors';
import { noteCaller } from '../common/request-context';
import { areaOf } from './areas';
import { Authenticator } from './authenticator';
import {
  AGENT_ROUTE,
  AREA,
  type AuthenticatedRequest,
  NODE_ROUTE,
  PERMISSION,
  POOL_ROUTE,
  PUBLIC_ROUTE,
  VIEWER_ROUTE,
  type ViewerAccess,
} from './decorators';
import { DeniedAttempts } from './denied-attempts';
import { demand, principalId, type UserPrincipal, type ViewerPrincipal } from './principal';

const BY_METHOD: Record<string, Permission> = { GET: 'read', HEAD: 'read', DELETE: 'delete' };

type Targets = [ReturnType<ExecutionContext['getHandler']>, ReturnType<ExecutionContext['getClass']>];

/** Every route is closed unless it says otherwise. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly denied: DeniedAttempts,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets: Targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC_ROUTE, targets)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const viewers = this.reflector.getAllAndOverride<ViewerAccess | undefined>(VIEWER_ROUTE, targets);
    const { authorization, host } = request.headers;
    const principal = await this.authenticator.authenticate({
      authorization,
      host,
      organizationId: request.headers[HEADERS.organizationId],
      viewerToken: viewers?.tokenInQuery === true ? request.query['access_token'] : undefined,
    });
    request.principal = principal;
    noteCaller(principalId(principal));
    if (principal.kind === 'agent') {
      if (this.reflector.getAllAndOverride<boolean>(AGENT_ROUTE, targets)) return true;
      throw new ReinsError('forbidden', { message: 'An agent token reaches its own agent and sessions only.' });
    }
    if (principal.kind === 'node') {
      if (this.reflector.getAllAndOverride<boolean>(NODE_ROUTE, targets)) return true;
      throw new ReinsError('forbidden', { message: 'A node token reaches its own node only.' });
    }
    if (principal.kind === 'pool') {
      if (this.reflector.getAllAndOverride<boolean>(POOL_ROUTE, targets)) return true;
      throw new ReinsError('forbidden', { message: 'A pool token lets a pod wait for a session, and nothing else.' });
    }
    if (principal.kind === 'viewer') return admitViewer(principal, viewers, request.params['id']);
    await this.admitUser(principal, request, targets);
    return true;
  }

  private async admitUser(principal: UserPrincipal, request: AuthenticatedRequest, targets: Targets): Promise<void> {
    const named = this.reflector.getAllAndOverride<Permission | undefined>(PERMISSION, targets);
    const permission = named ?? BY_METHOD[request.method] ?? 'write';
    const area = this.reflector.getAllAndOverride<Area | undefined>(AREA, targets) ?? areaOf(request.path);
    try {
      demand(principal, permission, area);
    } catch (error) {
      if (permission === 'admin') await this.denied.note(principal, request);
      throw error;
    }
  }
}

function admitViewer(principal: ViewerPrincipal, viewers: ViewerAccess | undefined, id: unknown): true {
  if (viewers === undefined) {
    throw new ReinsError('forbidden', { message: 'A viewer token shows its own session and nothing else.' });
  }
  // Another session is as if it did not exist: a viewer does not learn which ones do.
  if (id !== principal.sessionId) throw new ReinsError('session_not_found');
  return true;
}
