import { Schema } from 'mongoose';
import { type TenantDocument } from '../../../database/tenant.repository';
import { WARM_POD_STATES, type WarmPodState } from './warm-pod-state';

/** The session a warm pod was taken for. */
export interface WarmPodClaim {
  sessionId: string;
  workerId: string;
  launchId: string;
  agentId: string;
  /** When the session is over, whatever it does. */
  expiresAt: Date;
  at: Date;
}

export interface WarmPodDocument extends TenantDocument {
  runtimeId: string;
  key: string;
  cluster: string;
  state: WarmPodState;
  /** Of the process in the pod, from its first question on. */
  incarnation: string | null;
  claim: WarmPodClaim | null;
  /** Its objects in the cluster are marked as the session's. */
  adopted: boolean;
  createdAt: Date;
  /** When it asked last. */
  askedAt: Date | null;
  goneAt: Date | null;
}

export const WARM_POD = 'WarmPod';
const FORGET_AFTER_SECONDS = 3_600;

export const warmPodSchema = new Schema<WarmPodDocument>(
  {
    _id: String,
    orgId: { type: String, required: true },
    runtimeId: { type: String, required: true },
    key: { type: String, required: true },
    cluster: { type: String, required: true },
    state: { type: String, enum: WARM_POD_STATES, required: true },
    incarnation: { type: String, default: null },
    claim: {
      type: { sessionId: String, workerId: String, launchId: String, agentId: String, expiresAt: Date, at: Date },
      default: null,
      _id: false,
    },
    adopted: { type: Boolean, default: false },
    createdAt: { type: Date, required: true },
    askedAt: { type: Date, default: null },
    goneAt: { type: Date, default: null },
  },
  { versionKey: false, collection: 'warm_pods' },
);

// Serves the claim: the one of the pool that has waited longest.
warmPodSchema.index({ orgId: 1, key: 1, state: 1, createdAt: 1 });
// Serves the loop that keeps the pools.
warmPodSchema.index({ state: 1, adopted: 1 });
// Serves the stop of a session.
warmPodSchema.index({ orgId: 1, 'claim.sessionId': 1 });
warmPodSchema.index({ goneAt: 1 }, { expireAfterSeconds: FORGET_AFTER_SECONDS });
