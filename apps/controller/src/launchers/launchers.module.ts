import { Module } from '@nestjs/common';
import { Launcher } from './launcher.port';
import { ProcessLauncher } from './process/process-launcher';

@Module({ providers: [{ provide: Launcher, useClass: ProcessLauncher }], exports: [Launcher] })
export class LaunchersModule {}
