import { type ToolExecution, type ToolView } from '@reins/shared/api/tools';
import { toAiwmView } from '../../common/aiwm-document';
import { MASK, maskSecrets } from '../../common/mask-secrets';
import { type ToolDocument } from './tool.schema';

/** Any other header may carry a key under a name nobody can foresee. */
const HARMLESS_HEADER = /^(accept|accept-.*|content-type|content-language|user-agent)$/i;

/** A tool as the API and connect show it: nothing in it lets its reader act as the tool. */
export function toToolView(tool: ToolDocument): ToolView {
  const { transport, endpoint, dockerImage, port, environment, healthEndpoint, execution } = tool;
  return {
    ...toAiwmView(tool),
    name: tool.name,
    type: tool.type,
    description: tool.description,
    category: tool.category,
    schema: JSON.parse(tool.schemaJson) as ToolView['schema'],
    status: tool.status,
    scope: tool.scope,
    shared: tool.shared,
    ...(transport !== undefined && { transport }),
    ...(endpoint !== undefined && { endpoint }),
    ...(dockerImage !== undefined && { dockerImage }),
    ...(port !== undefined && { port }),
    ...(environment !== undefined && { environment: maskSecrets(environment) }),
    ...(healthEndpoint !== undefined && { healthEndpoint }),
    ...(execution !== undefined && { execution: maskExecution(execution) }),
  };
}

export function maskExecution(execution: ToolExecution): ToolExecution {
  const headers = Object.entries(execution.headers).map(([name, value]) => {
    return [name, value === '' || HARMLESS_HEADER.test(name) ? value : MASK] as const;
  });
  return { ...execution, headers: Object.fromEntries(headers) };
}
