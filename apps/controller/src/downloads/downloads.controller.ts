import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { type Response } from 'express';
import { Public } from '../access/decorators';
import { HarnessPackage } from './harness-package';

/** What machines fetch before they have credentials. Nothing here is secret. */
@ApiTags('downloads')
@Controller('downloads')
@Public()
export class DownloadsController {
  constructor(private readonly harness: HarnessPackage) {}

  @Get('harness.tar.gz')
  @ApiOperation({ summary: 'Download the harness that fits this controller' })
  @ApiProduces('application/gzip')
  @ApiResponse({ status: 200, description: 'A gzipped tar with main.js; run it with node' })
  async archive(@Res() response: Response): Promise<void> {
    const { bytes, sha256 } = await this.harness.get();
    response.set({ 'Content-Type': 'application/gzip', ETag: `"${sha256}"`, 'Cache-Control': 'no-cache' }).send(bytes);
  }

  @Get('harness.tar.gz.sha256')
  @Header('Content-Type', 'text/plain; charset=utf-8')
  @ApiOperation({ summary: 'The checksum of the harness, as sha256sum -c reads it' })
  @ApiResponse({ status: 200, description: 'One line: checksum, two spaces, file name' })
  async checksum(): Promise<string> {
    return `${(await this.harness.get()).sha256}  harness.tar.gz\n`;
  }
}
