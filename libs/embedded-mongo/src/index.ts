/**
 * The embedded default database: MongoDB's wire protocol over LMDB, in a process of its own.
 * `ensureEmbeddedMongo` is what an application uses; `startEmbeddedMongo` runs the server in this process.
 * See docs/reference/embedded-mongo.md.
 */
export { type EmbeddedMongoServer, type ServerOptions, startEmbeddedMongo } from './server';
export {
  type EmbeddedMongo,
  ensureEmbeddedMongo,
  type EnsureOptions,
  stopEmbeddedMongo,
} from './supervisor/supervisor';
