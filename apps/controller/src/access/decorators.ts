import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type Request } from 'express';
import { type Permission, type Principal } from './principal';

export const PUBLIC_ROUTE = 'reins:public';
export const AGENT_ROUTE = 'reins:agent';
export const PERMISSION = 'reins:permission';

/** No credentials needed. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);

/** Agents may call it too; the handler checks that it is *this* agent. Everything else is closed to agents. */
export const AgentRoute = () => SetMetadata(AGENT_ROUTE, true);

/** Overrides the permission that the HTTP method implies (GET read, DELETE delete, others write). */
export const Needs = (permission: Permission) => SetMetadata(PERMISSION, permission);

export interface AuthenticatedRequest extends Request {
  principal?: Principal;
}

/** The verified principal of the request. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (principal === undefined) throw new Error('Caller is used on a public route');
  return principal;
});
