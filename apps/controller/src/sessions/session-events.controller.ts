import { Controller, Get, Headers, Param, Put, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { HEADERS } from '@reins/shared/api/common';
import { EventsQuery } from '@reins/shared/api/sessions';
import { ReinsError } from '@reins/shared/errors';
import { type Request, type Response } from 'express';
import { createZodDto } from 'nestjs-zod';
import { pipeline } from 'node:stream/promises';
import { AgentRoute, Caller, Needs, ViewerRoute } from '../access/decorators';
import { type Principal, scopeOf } from '../access/principal';
import { BlobStore } from '../blobs/blob-store.port';
import { SessionConfigurationService } from './session-configuration';
import { SessionStreams } from './session-streams';
import { SessionsService } from './sessions.service';

class EventsQueryDto extends createZodDto(EventsQuery) {}

const SHA256 = /^[0-9a-f]{64}$/;

@ApiTags('events')
@Controller('sessions/:id')
export class SessionEventsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly streams: SessionStreams,
    private readonly blobs: BlobStore,
    private readonly configuration: SessionConfigurationService,
  ) {}

  @Get('events')
  @ViewerRoute({ tokenInQuery: true })
  @ApiSecurity('bearer')
  @ApiSecurity('viewerToken')
  @ApiOperation({ summary: "A session's whole event log: followed by SSE, or one page with follow=false" })
  @ApiProduces('text/event-stream', 'application/json')
  async events(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query() query: EventsQueryDto,
    @Headers(HEADERS.lastEventId) lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const after = cursorOf(lastEventId) ?? query.after ?? 0;
    if (query.follow === 'true') return this.streams.follow(caller, id, after, response);
    response.type('application/json').send(await this.streams.page(scope, id, after, query.limit));
  }

  @Put('blobs')
  @AgentRoute()
  @Needs('admin')
  @ApiOperation({ summary: 'A harness stores data that is too long for an event' })
  async putBlob(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Query('sha256') sha256: string | undefined,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const scope = scopeOf(caller);
    const session = await this.sessions.get(scope, id);
    if (caller.kind === 'agent' && session.agentId !== caller.agentId) throw new ReinsError('session_not_found');
    if (sha256 !== undefined && !SHA256.test(sha256)) {
      const details = [
        { path: 'sha256', message: 'must be 64 hexadecimal digits in lower case', code: 'invalid_format' },
      ];
      throw new ReinsError('validation_failed', { details });
    }
    const contentType = request.headers['content-type'] ?? 'application/octet-stream';
    const blob = await this.blobs.put(scope, id, contentType, request, sha256);
    response.status(201).json({ blobId: blob.id, sizeBytes: blob.sizeBytes, sha256: blob.sha256 });
  }

  @Get('instruction')
  @AgentRoute()
  @ApiOperation({
    summary: 'The text the agent of a session goes by, for harnesses that it is too long for on the link',
  })
  @ApiProduces('text/plain')
  async instruction(@Caller() caller: Principal, @Param('id') id: string, @Res() response: Response): Promise<void> {
    const scope = scopeOf(caller);
    const session = await this.sessions.get(scope, id);
    if (caller.kind === 'agent' && session.agentId !== caller.agentId) throw new ReinsError('session_not_found');
    response.type('text/plain').send(await this.configuration.instructionOf(scope, session));
  }

  @Get('blobs/:blobId')
  @ViewerRoute()
  @ApiOperation({ summary: 'Data that an event only refers to' })
  async getBlob(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Param('blobId') blobId: string,
    @Res() response: Response,
  ): Promise<void> {
    const scope = scopeOf(caller);
    await this.sessions.get(scope, id);
    const blob = await this.blobs.open(scope, id, blobId);
    if (blob === undefined) throw new ReinsError('blob_not_found');
    response.setHeader('Content-Type', safeContentType(blob.info.contentType));
    response.setHeader('Content-Length', blob.info.sizeBytes);
    response.setHeader('ETag', `"${blob.info.sha256}"`);
    // A viewer that hangs up is not an error of ours.
    await pipeline(blob.bytes, response).catch(() => response.destroy());
  }
}

function cursorOf(lastEventId: string | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined;
  const seq = Number(lastEventId);
  if (Number.isSafeInteger(seq) && seq >= 0) return seq;
  const details = [{ path: 'Last-Event-ID', message: 'must be the id of an event of this session', code: 'invalid' }];
  throw new ReinsError('validation_failed', { details });
}

/** What an agent stored is never shown by a browser as a page of ours. */
function safeContentType(stored: string): string {
  return /^(application\/json|text\/plain)\b/.test(stored) ? stored : 'application/octet-stream';
}
