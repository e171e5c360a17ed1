import { z } from 'zod';
import { AGENT_ROLES } from './agents';
import { Name } from './common';

/** What a role may do. A route needs one of them. */
export const PERMISSIONS = ['read', 'write', 'delete', 'admin'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Parts of the API that a key can be narrowed to. */
export const AREAS = ['sessions', 'agents', 'definitions', 'access'] as const;
export type Area = (typeof AREAS)[number];

/** What a key may do beside its roles: everything, all of an area, or one permission in one area. */
export type AccessScope = '*' | `${Area}:${Permission | '*'}`;

export const ACCESS_SCOPES: [AccessScope, ...AccessScope[]] = [
  '*',
  ...AREAS.flatMap((area) => [`${area}:*` as const, ...PERMISSIONS.map((what) => `${area}:${what}` as const)]),
];

/** Ten years. */
const MAX_KEY_SECONDS = 10 * 365 * 86_400;

export const CreateApiKey = z.object({
  name: Name,
  roles: z.array(z.enum(AGENT_ROLES)).min(1).max(AGENT_ROLES.length).default(['organization.editor']),
  /** Narrows the roles; an action needs both. */
  scopes: z.array(z.enum(ACCESS_SCOPES)).min(1).max(ACCESS_SCOPES.length).default(['*']),
  /** Without it the key is valid until it is revoked. */
  expiresInSeconds: z.number().int().min(1).max(MAX_KEY_SECONDS).optional(),
});
export type CreateApiKey = z.infer<typeof CreateApiKey>;

/** A key without its value: `prefix` are its first characters, to tell keys apart. */
export interface ApiKeyView {
  id: string;
  name: string;
  prefix: string;
  roles: string[];
  scopes: AccessScope[];
  createdBy: string;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

export interface CreatedApiKey extends ApiKeyView {
  /** Shown this once, stored only as a hash. */
  key: string;
}

/** Thirty days. */
const MAX_VIEWER_SECONDS = 30 * 86_400;

/** A request without a body counts as an empty one. */
export const CreateViewerToken = z
  .object({ expiresInSeconds: z.number().int().min(1).max(MAX_VIEWER_SECONDS).default(3_600) })
  .prefault({});
export type CreateViewerToken = z.infer<typeof CreateViewerToken>;

/** A token that shows one session and nothing else, without its value. */
export interface ViewerTokenView {
  id: string;
  sessionId: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  revokedAt: string | null;
}

export interface CreatedViewerToken {
  id: string;
  sessionId: string;
  expiresAt: string;
  /** Shown this once, stored only as a hash. */
  token: string;
}

/** Exactly one of the two says whose tokens end. */
export const CreateTokenRevocation = z
  .strictObject({ userId: Name.max(256).optional(), orgWide: z.literal(true).optional() })
  .refine((body) => (body.userId === undefined) !== (body.orgWide === undefined), {
    message: 'give userId, or orgWide: true',
    path: ['userId'],
  });
export type CreateTokenRevocation = z.infer<typeof CreateTokenRevocation>;

/** Tokens of the user, of all users where `userId` is null, that were issued up to `issuedUpTo` are refused. */
export interface TokenRevocationView {
  id: string;
  userId: string | null;
  issuedUpTo: string;
  createdBy: string;
  createdAt: string;
}
