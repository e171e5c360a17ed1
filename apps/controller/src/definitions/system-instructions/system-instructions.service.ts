import { Injectable } from '@nestjs/common';
import { type SystemInstructionsView } from '@reins/shared/api/definitions';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../../access/principal';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { type Page } from '../../database/tenant.repository';
import { SystemInstructionsRepository } from './system-instructions.repository';
import { type SystemInstructionsDocument } from './system-instructions.schema';

const ATTEMPTS = 10;

/** The text put before every worker's own instructions, with all its earlier versions. */
@Injectable()
export class SystemInstructionsService {
  constructor(
    private readonly versions: SystemInstructionsRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /** Version 0 with an empty text where nobody has written one yet. */
  async current(scope: OrgScope): Promise<SystemInstructionsView> {
    const stored = await this.versions.current(scope);
    return stored === undefined ? { content: '', version: 0, updatedAt: null, updatedBy: null } : toView(stored);
  }

  /** Newest first. */
  async history(scope: OrgScope, page: Page): Promise<{ items: SystemInstructionsView[]; total: number }> {
    const { items, total } = await this.versions.list(scope, page);
    return { items: items.map(toView), total };
  }

  /**
   * Adds the next version, unless the text is the current one. Of two edits at once, both are kept. Living sessions get
   * it with their next turn.
   */
  async replace(scope: OrgScope, content: string, actor: string): Promise<SystemInstructionsView> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const current = await this.current(scope);
      if (current.content === content) return current;
      const version = { version: current.version + 1, content, createdAt: new Date(), createdBy: actor };
      const added = await this.versions.add(scope, version);
      if (added === undefined) continue;
      this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'systemInstructions', id: added._id });
      const after = toView(added);
      const target = { type: 'systemInstructions', id: added._id };
      await this.audit.record(scope, { actor, action: 'systemInstructions.updated', target, before: current, after });
      return after;
    }
    throw new ReinsError('conflict');
  }
}

function toView(stored: SystemInstructionsDocument): SystemInstructionsView {
  const { content, version, createdAt, createdBy } = stored;
  return { content, version, updatedAt: createdAt.toISOString(), updatedBy: createdBy };
}
