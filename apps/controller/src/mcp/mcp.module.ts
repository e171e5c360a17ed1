import { Module } from '@nestjs/common';
import { AgentStoreModule } from '../agents/agent-store.module';
import { DefinitionsModule } from '../definitions/definitions.module';
import { McpController } from './mcp.controller';
import { McpService } from './mcp.service';
import { ToolCaller } from './tool-caller';

/** The Model Context Protocol by which agents call tools of type api. */
@Module({
  imports: [AgentStoreModule, DefinitionsModule],
  controllers: [McpController],
  providers: [McpService, ToolCaller],
})
export class McpModule {}
