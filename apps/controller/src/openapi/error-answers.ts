import { type OpenAPIObject } from '@nestjs/swagger';
import { routeFamily } from '../common/route-family';

type Schema = Record<string, unknown>;

const text = { type: 'string' };
const common = {
  code: { ...text, description: 'Stable; see the table of errors' },
  correlationId: text,
  retryable: { type: 'boolean' },
  hint: text,
};
const object = (required: string[], properties: Schema): Schema => ({ type: 'object', required, properties });

const ENVELOPES = {
  vwm: object(['error', 'code', 'correlationId'], { error: text, details: {}, ...common }),
  aiwm: object(['statusCode', 'message', 'timestamp', 'path', 'code', 'correlationId'], {
    statusCode: { type: 'integer' },
    message: text,
    timestamp: { ...text, format: 'date-time' },
    path: text,
    errors: { type: 'array', items: text },
    details: {},
    ...common,
  }),
  'vm-system': object(['error', 'code', 'correlationId'], {
    error: object(['code', 'message'], { code: text, message: text, details: {} }),
    ...common,
  }),
};

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'] as const;

/** Adds to every operation the error answer its route family promises. Changes the document in place. */
export function addErrorAnswers(document: OpenAPIObject): OpenAPIObject {
  const schemas = ((document.components ??= {}).schemas ??= {}) as Record<string, Schema>;
  for (const [family, schema] of Object.entries(ENVELOPES)) schemas[`Error-${family}`] = schema;
  for (const [path, item] of Object.entries(document.paths)) {
    const $ref = `#/components/schemas/Error-${routeFamily(path)}`;
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      operation.responses.default ??= {
        description: 'An error',
        content: { 'application/json': { schema: { $ref } } },
      };
    }
  }
  return document;
}
