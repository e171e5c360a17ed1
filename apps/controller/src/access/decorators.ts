import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type Area as AreaName, type Permission } from '@reins/shared/api/access';
import { type Request } from 'express';
import { type Principal } from './principal';

export const PUBLIC_ROUTE = 'reins:public';
export const AGENT_ROUTE = 'reins:agent';
export const NODE_ROUTE = 'reins:node';
export const POOL_ROUTE = 'reins:pool';
export const VIEWER_ROUTE = 'reins:viewer';
export const PERMISSION = 'reins:permission';
export const AREA = 'reins:area';

/** No credentials needed. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);

/** Agents may call it too; the handler checks that it is *this* agent. Everything else is closed to agents. */
export const AgentRoute = () => SetMetadata(AGENT_ROUTE, true);

/** Nodes may call it too; the handler checks that it is *this* node. Everything else is closed to nodes. */
export const NodeRoute = () => SetMetadata(NODE_ROUTE, true);

/** For warm pods; the handler checks that it is one. Everything else is closed to them. */
export const PoolRoute = () => SetMetadata(POOL_ROUTE, true);

export interface ViewerAccess {
  /** Whether the token may come as `?access_token=`, for clients that cannot set headers such as EventSource. */
  tokenInQuery?: boolean;
}

/**
 * Viewers of the session that the path's `:id` names may call it too; of another one they get 404. Everything else is
 * closed to viewers.
 */
export const ViewerRoute = (access: ViewerAccess = {}) => SetMetadata(VIEWER_ROUTE, access);

/** Overrides the permission that the HTTP method implies (GET read, DELETE delete, others write). */
export const Needs = (permission: Permission) => SetMetadata(PERMISSION, permission);

/** The part of the API that an API key's scopes name. Without it the path decides. */
export const Area = (area: AreaName) => SetMetadata(AREA, area);

export interface AuthenticatedRequest extends Request {
  principal?: Principal;
}

/** The verified principal of the request. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (principal === undefined) throw new Error('Caller is used on a public route');
  return principal;
});
