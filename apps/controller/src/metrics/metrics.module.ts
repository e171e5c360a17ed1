import { Global, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { EVERY_ROUTE, HttpMetrics } from './http-metrics.middleware';
import { MetricsController } from './metrics.controller';
import { Metrics } from './metrics';

@Global()
@Module({ controllers: [MetricsController], providers: [Metrics], exports: [Metrics] })
export class MetricsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(HttpMetrics).forRoutes(EVERY_ROUTE);
  }
}
