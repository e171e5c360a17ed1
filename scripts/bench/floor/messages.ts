/** A prompt as the floor stores it. */
export interface FloorJob {
  _id: string;
  order: number;
  status: 'queued' | 'leased';
  prompt: string;
  createdAt: Date;
  leasedAt?: Date;
}

/** A batch of events, shaped like the link's `events` frame. */
export interface FloorEvents {
  sessionId: string;
  from: number;
  items: object[];
}

/** An agent as the floor finds it. */
export interface FloorAgent {
  _id: string;
  instructionId: string;
}
