import { Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { InstructionsController } from './instructions/instructions.controller';
import { InstructionsRepository } from './instructions/instructions.repository';
import { InstructionsService } from './instructions/instructions.service';
import { WarmPoolStoreModule } from '../launchers/kubernetes/pool/warm-pool-store.module';
import { NodeStoreModule } from './nodes/node-store.module';
import { NodeTokensService } from './nodes/node-tokens.service';
import { NodesController } from './nodes/nodes.controller';
import { NodesService } from './nodes/nodes.service';
import { RuntimesController } from './runtimes/runtimes.controller';
import { RuntimesRepository } from './runtimes/runtimes.repository';
import { RuntimesService } from './runtimes/runtimes.service';
import { SkillsController } from './skills/skills.controller';
import { SkillsRepository } from './skills/skills.repository';
import { SkillsService } from './skills/skills.service';
import { SystemInstructionsController } from './system-instructions/system-instructions.controller';
import { SystemInstructionsRepository } from './system-instructions/system-instructions.repository';
import { SystemInstructionsService } from './system-instructions/system-instructions.service';
import { ToolsController } from './tools/tools.controller';
import { ToolsRepository } from './tools/tools.repository';
import { ToolsService } from './tools/tools.service';
import { WorkersController } from './workers/workers.controller';
import { WorkersRepository } from './workers/workers.repository';
import { WorkersService } from './workers/workers.service';

/** What admins define: runtimes, workers, skills and the text all workers share; instructions, tools and nodes. */
@Module({
  imports: [AgentStoreModule, NodeStoreModule, WarmPoolStoreModule],
  controllers: [
    RuntimesController,
    WorkersController,
    SkillsController,
    SystemInstructionsController,
    InstructionsController,
    ToolsController,
    NodesController,
  ],
  providers: [
    RuntimesRepository,
    RuntimesService,
    WorkersRepository,
    WorkersService,
    SkillsRepository,
    SkillsService,
    SystemInstructionsRepository,
    SystemInstructionsService,
    InstructionsRepository,
    InstructionsService,
    ToolsRepository,
    ToolsService,
    NodesService,
    NodeTokensService,
  ],
  exports: [
    RuntimesRepository,
    RuntimesService,
    WorkersService,
    SkillsService,
    SystemInstructionsService,
    InstructionsService,
    ToolsService,
    NodesService,
  ],
})
export class DefinitionsModule {}
