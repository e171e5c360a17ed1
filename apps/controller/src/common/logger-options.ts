import { type IncomingMessage } from 'node:http';
import { type Params } from 'nestjs-pino';
import { type Config } from '../config/config';
import { correlationId } from './correlation';
import { redactUrl } from './redact-url';

const QUIET_ROUTES = /^\/(health|ready|metrics)\b/;
/** Never logged, wherever in a line they are: at the top, in an object, or in an object of an object. */
const SECRET_FIELDS = ['secret', 'token', 'accessToken', 'authorization', 'password', 'hash'];

/** Structured lines on standard output. Bodies are never logged, and headers only where they carry no secret. */
export function loggerOptions(config: Config): Params {
  return {
    pinoHttp: {
      level: config.env.LOG_LEVEL,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      genReqId: correlationId,
      quietReqLogger: true,
      customAttributeKeys: { reqId: 'correlationId' },
      customLogLevel: (_request, response, error) => {
        if (error !== undefined || response.statusCode >= 500) return 'error';
        return response.statusCode >= 400 ? 'warn' : 'debug';
      },
      serializers: {
        req: ({ method, url }: IncomingMessage) => ({ method, url: redactUrl(url) }),
        res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
      },
      autoLogging: { ignore: (request) => QUIET_ROUTES.test(request.url ?? '') },
      redact: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
    },
  };
}
