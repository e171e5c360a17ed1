import { Injectable } from '@nestjs/common';
import { type FieldIssue, ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { InstructionsService } from '../definitions/instructions/instructions.service';
import { NodesService } from '../definitions/nodes/nodes.service';
import { ToolsService } from '../definitions/tools/tools.service';
import { type AgentDocument } from './agent.schema';

/** The ids by which an agent names what it is made from. */
export type References = Partial<Pick<AgentDocument, 'instructionId' | 'nodeId' | 'allowedToolIds'>>;

/** Whether what an agent refers to is there, in its own organisation or, tools, shared with all. */
@Injectable()
export class AgentReferences {
  constructor(
    private readonly instructions: InstructionsService,
    private readonly tools: ToolsService,
    private readonly nodes: NodesService,
  ) {}

  /**
   * Throws 400 validation_failed naming each field and id. References the agent has already are not asked about again:
   * an edit of its name must not fail because a tool was deleted.
   */
  async check(scope: OrgScope, wanted: References, stored: References = {}): Promise<void> {
    const known = new Set(stored.allowedToolIds);
    const [instruction, node, tools] = await Promise.all([
      wanted.instructionId === stored.instructionId ? [] : this.ofInstruction(scope, wanted.instructionId),
      wanted.nodeId === stored.nodeId ? [] : this.ofNode(scope, wanted.nodeId),
      this.ofTools(
        scope,
        (wanted.allowedToolIds ?? []).filter((id) => !known.has(id)),
      ),
    ]);
    const details = [...instruction, ...node, ...tools];
    if (details.length > 0) throw new ReinsError('validation_failed', { details });
  }

  private async ofInstruction(scope: OrgScope, id: string | undefined): Promise<FieldIssue[]> {
    if (id === undefined) return [];
    const instruction = await this.instructions.find(scope, id);
    if (instruction === undefined) return [missing('instructionId', 'instruction', id)];
    if (instruction.status === 'active') return [];
    const message = `the instruction ${id} is inactive and cannot be assigned`;
    return [{ path: 'instructionId', message, code: 'inactive' }];
  }

  private async ofNode(scope: OrgScope, id: string | undefined): Promise<FieldIssue[]> {
    if (id === undefined) return [];
    return (await this.nodes.find(scope, id)) === undefined ? [missing('nodeId', 'node', id)] : [];
  }

  private async ofTools(scope: OrgScope, ids: readonly string[]): Promise<FieldIssue[]> {
    if (ids.length === 0) return [];
    const found = new Set((await this.tools.findAll(scope, ids)).map(({ _id }) => _id));
    return ids.filter((id) => !found.has(id)).map((id) => missing('allowedToolIds', 'tool', id));
  }
}

function missing(path: string, what: string, id: string): FieldIssue {
  return { path, message: `no ${what} with the id ${id} can be used by this organisation`, code: 'not_found' };
}
