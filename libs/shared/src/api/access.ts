import { z } from 'zod';
import { AGENT_ROLES } from './agents';
import { Name } from './common';

export const CreateApiKey = z.object({
  name: Name,
  roles: z.array(z.enum(AGENT_ROLES)).min(1).max(AGENT_ROLES.length).default(['organization.editor']),
  /** Without it the key is valid until it is revoked. */
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .max(10 * 365 * 86_400)
    .optional(),
});
export type CreateApiKey = z.infer<typeof CreateApiKey>;

/** A key without its value: `prefix` are its first characters, to tell keys apart. */
export interface ApiKeyView {
  id: string;
  name: string;
  prefix: string;
  roles: string[];
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
