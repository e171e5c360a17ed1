import { type AiwmView } from '@reins/shared/api/aiwm';
import { newObjectId } from '@reins/shared/ids';
import { type UserPrincipal } from '../access/principal';
import { type TenantDocument } from '../database/tenant.repository';

/** Who creates or changes something. */
export type Editor = Pick<UserPrincipal, 'userId' | 'actor'>;

/** What instructions, tools and nodes have in common. A deleted one stays, for whoever asks later what it was. */
export interface AiwmDocument extends TenantDocument {
  status: string;
  isDeleted: boolean;
  /** Null while it lives. */
  deletedAt: Date | null;
  userId: string;
  createdBy: string;
  updatedBy: string;
  createdAt: Date;
  updatedAt: Date;
}

/** The fields of AiwmDocument but its status, for a schema. */
export const AIWM_FIELDS = {
  _id: String,
  orgId: { type: String, required: true },
  isDeleted: { type: Boolean, default: false },
  deletedAt: { type: Date, default: null },
  userId: { type: String, required: true },
  createdBy: { type: String, required: true },
  updatedBy: { type: String, required: true },
  createdAt: { type: Date, required: true },
  updatedAt: { type: Date, required: true },
};

export function newAiwmDocument({ userId, actor }: Editor): Omit<AiwmDocument, 'orgId' | 'status'> {
  const now = new Date();
  const by = { userId, createdBy: actor, updatedBy: actor, createdAt: now, updatedAt: now };
  return { _id: newObjectId(), isDeleted: false, deletedAt: null, ...by };
}

/** The common fields as the API shows them. */
export function toAiwmView(document: AiwmDocument): AiwmView {
  return {
    _id: document._id,
    owner: { orgId: document.orgId, userId: document.userId },
    createdBy: document.createdBy,
    updatedBy: document.updatedBy,
    createdAt: document.createdAt.toISOString(),
    updatedAt: document.updatedAt.toISOString(),
  };
}
