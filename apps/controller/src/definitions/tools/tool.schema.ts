import { type ToolExecution, type ToolView } from '@reins/shared/api/tools';
import { Schema } from 'mongoose';
import { AIWM_FIELDS, type AiwmDocument } from '../../common/aiwm-document';

type Shown = Pick<
  ToolView,
  'name' | 'type' | 'description' | 'category' | 'status' | 'scope' | 'transport' | 'endpoint' | 'dockerImage' | 'port'
>;

export interface ToolDocument extends AiwmDocument, Shown {
  status: ToolView['status'];
  /** `{inputSchema, outputSchema}` as JSON text: their keys are JSON Schema's, which a database would misread. */
  schemaJson: string;
  /** Whether every organisation may use it. */
  shared: boolean;
  environment?: Record<string, string>;
  healthEndpoint?: string;
  execution?: ToolExecution;
}

export const TOOL = 'Tool';

export const toolSchema = new Schema<ToolDocument>(
  {
    ...AIWM_FIELDS,
    name: { type: String, required: true },
    type: { type: String, required: true },
    description: { type: String, required: true },
    category: { type: String, required: true },
    schemaJson: { type: String, required: true },
    status: { type: String, required: true },
    scope: { type: String, required: true },
    shared: { type: Boolean, default: false },
    transport: String,
    endpoint: String,
    dockerImage: String,
    port: Number,
    environment: { type: Schema.Types.Mixed },
    healthEndpoint: String,
    execution: { type: Schema.Types.Mixed },
  },
  { versionKey: false, minimize: false, collection: 'tools' },
);

// Keeps names unique among the tools an organisation has not deleted.
toolSchema.index({ orgId: 1, name: 1 }, { unique: true, partialFilterExpression: { isDeleted: false } });
// Serves the list (newest first) and its statistics. One tool is found by its `_id`.
toolSchema.index({ orgId: 1, isDeleted: 1, createdAt: -1, _id: -1 });
// Serves the same for the tools shared with every organisation.
toolSchema.index({ shared: 1, isDeleted: 1, createdAt: -1, _id: -1 }, { partialFilterExpression: { shared: true } });
