import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/agents.module';
import { EnrolledAgentsRepository } from './enrolled-agents.repository';
import { EnrollmentController } from './enrollment.controller';
import { EnrollmentService } from './enrollment.service';
import { EnrollmentTokensController } from './enrollment-tokens.controller';
import { EnrollmentTokensRepository } from './enrollment-tokens.repository';
import { EnrollmentTokensService } from './enrollment-tokens.service';

/** Self-registration: tokens that make agents. */
@Module({
  imports: [AgentsModule],
  controllers: [EnrollmentController, EnrollmentTokensController],
  providers: [EnrollmentTokensRepository, EnrolledAgentsRepository, EnrollmentTokensService, EnrollmentService],
})
export class EnrollmentModule {}
