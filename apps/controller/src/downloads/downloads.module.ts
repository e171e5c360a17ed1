import { Module } from '@nestjs/common';
import { DownloadsController } from './downloads.controller';
import { HarnessPackage } from './harness-package';

@Module({ controllers: [DownloadsController], providers: [HarnessPackage], exports: [HarnessPackage] })
export class DownloadsModule {}
