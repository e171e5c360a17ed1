import { type NestExpressApplication } from '@nestjs/platform-express';
import { NestFactory } from '@nestjs/core';
import { json, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module';
import { Background } from './bus/background';
import { SharedBus } from './bus/shared-bus';
import { correlationId } from './common/correlation';
import { inRequestContext } from './common/request-context';
import { type Config } from './config/config';
import { ListenAddress } from './config/listen-address';
import { EventLog } from './events/event-log';
import { Readiness } from './health/readiness';
import { LinkServer } from './link/link.server';
import { setupOpenApi } from './openapi/openapi';
import { Leadership } from './replicas/leadership';
import { Replicas } from './replicas/replicas';
import { systemClock } from '@reins/shared/util';

/** Routes whose bodies are streams of the caller's bytes, whatever type they claim. */
const RAW_BODIES = /^\/sessions\/[^/]+\/blobs$/;

export interface RunningController {
  app: NestExpressApplication;
  /** Where it is reached on this machine, without a trailing slash. */
  url: string;
  /** Leaves in order; harnesses and their agents go on. */
  stop(): Promise<void>;
}

/** Boots the controller and listens. */
export async function startController(config: Config): Promise<RunningController> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(config), {
    bodyParser: false,
    bufferLogs: true,
    forceCloseConnections: true,
  });
  app.useLogger(app.get(Logger));
  app.disable('x-powered-by');
  app.set('trust proxy', config.env.TRUST_PROXY);
  app.use((request: Request, response: Response, next: NextFunction) => {
    inRequestContext(correlationId(request, response), next);
  });
  app.use(helmet());
  const parseJson = json({ limit: config.env.BODY_LIMIT_BYTES });
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (RAW_BODIES.test(request.path)) next();
    else parseJson(request, response, next);
  });
  setupOpenApi(app);
  try {
    await app.get(SharedBus).start();
    await app.get(Replicas).join();
  } catch (error) {
    await app.close();
    throw error;
  }
  await app.listen(config.env.PORT, config.env.HOST);
  const { port } = app.getHttpServer().address() as { port: number };
  app.get(ListenAddress).bound(port);
  return { app, url: config.listenUrl(port), stop: () => stop(app, config) };
}

async function stop(app: NestExpressApplication, config: Config): Promise<void> {
  app.get(Readiness).drain();
  const link = app.get(LinkServer);
  const left = new AbortController();
  const leaving = Promise.all([link.drain(), app.get(Leadership).resign()])
    .then(() => app.get(Background).settle())
    .then(() => app.get(EventLog).flush())
    .finally(() => left.abort());
  const patience = systemClock.sleep(config.env.SHUTDOWN_GRACE_MS, left.signal).catch(() => undefined);
  await Promise.race([leaving, patience]);
  await link.close();
  await app.close();
}
