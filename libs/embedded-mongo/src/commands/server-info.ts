import { hostname } from 'node:os';
import { MAX_DOCUMENT_BYTES } from '../bson/raw';
import { type Document } from '../bson/types';
import { MongoError } from '../errors';
import { type Command, type CommandContext } from './command';

/** The server version whose behaviour is followed; wire version 21 belongs to it. */
const VERSION = '7.0.0';
export const MAX_MESSAGE_BYTES = 48_000_000;
const WIRE_VERSION = 21;

/** The handshake: a standalone server. */
const hello: Command = {
  fields: { hello: 'any', isMaster: 'any', ismaster: 'any' },
  lenient: true,
  run({ options, connectionId }) {
    const isHello = 'hello' in options;
    return {
      helloOk: true,
      ...(isHello ? { isWritablePrimary: true } : { ismaster: true }),
      maxBsonObjectSize: MAX_DOCUMENT_BYTES,
      maxMessageSizeBytes: MAX_MESSAGE_BYTES,
      maxWriteBatchSize: 100_000,
      localTime: new Date(),
      // Sessions are accepted as a standalone server does: `lsid` is carried and transactions are refused.
      logicalSessionTimeoutMinutes: 30,
      connectionId,
      minWireVersion: 0,
      maxWireVersion: WIRE_VERSION,
      readOnly: false,
    };
  },
};

const acknowledge = (field: string): Command => ({ fields: { [field]: 'any' }, run: () => ({}) });

const buildInfo: Command = {
  fields: { buildInfo: 'any', buildinfo: 'any' },
  run: () => ({
    version: VERSION,
    versionArray: [7, 0, 0, 0],
    gitVersion: 'reins-embedded-mongo',
    modules: ['embedded'],
    storageEngines: ['lmdb'],
    bits: 64,
    debug: false,
    maxBsonObjectSize: MAX_DOCUMENT_BYTES,
  }),
};

const serverStatus: Command = {
  fields: { serverStatus: 'any', repl: 'any', metrics: 'any', locks: 'any' },
  run: ({ engine }): Document => ({
    host: hostname(),
    version: VERSION,
    process: 'embedded-mongo',
    pid: process.pid,
    uptime: (Date.now() - engine.startedAt) / 1000,
    localTime: new Date(),
    connections: { current: engine.connections() },
    metrics: { cursor: { open: { total: engine.cursors.size } } },
    mem: { resident: Math.round(process.memoryUsage.rss() / 1024 / 1024) },
    storageEngine: { name: 'lmdb' },
  }),
};

const connectionStatus: Command = {
  fields: { connectionStatus: 'any', showPrivileges: 'any' },
  run: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] } }),
};

const PARAMETERS: Document = { featureCompatibilityVersion: { version: '7.0' }, ttlMonitorEnabled: true };

const getParameter: Command = {
  fields: { getParameter: 'any', ...Object.fromEntries(Object.keys(PARAMETERS).map((name) => [name, 'any' as const])) },
  run({ options }) {
    if (options.getParameter === '*') return PARAMETERS;
    const asked = Object.keys(PARAMETERS).filter((name) => name in options);
    if (asked.length === 0) throw new MongoError(72, 'no option found to get');
    return Object.fromEntries(asked.map((name) => [name, PARAMETERS[name]]));
  },
};

const refuseAuthentication: Command = {
  fields: {
    saslStart: 'any',
    saslContinue: 'any',
    mechanism: 'any',
    payload: 'any',
    options: 'any',
    autoAuthorize: 'any',
    conversationId: 'any',
    authenticate: 'any',
    user: 'any',
    db: 'any',
  },
  run(): never {
    throw new MongoError(18, 'Authentication failed. This server keeps no users: connect without credentials.');
  },
};

const fsync: Command = {
  fields: { fsync: 'any', lock: 'bool' },
  async run({ engine, options }: CommandContext) {
    if (options.lock === true) throw new MongoError(115, 'fsync with lock is not supported by this server');
    await engine.store.flush();
    return { numFiles: 1 };
  },
};

export const serverCommands: Readonly<Record<string, Command>> = {
  hello,
  isMaster: hello,
  ismaster: hello,
  ping: acknowledge('ping'),
  endSessions: acknowledge('endSessions'),
  startSession: {
    fields: { startSession: 'any' },
    run(): never {
      throw new MongoError(115, 'startSession is not supported by this server; clients make their own session ids');
    },
  },
  killSessions: acknowledge('killSessions'),
  refreshSessions: acknowledge('refreshSessions'),
  buildInfo,
  buildinfo: buildInfo,
  serverStatus,
  connectionStatus,
  getParameter,
  fsync,
  saslStart: refuseAuthentication,
  saslContinue: refuseAuthentication,
  authenticate: refuseAuthentication,
};
