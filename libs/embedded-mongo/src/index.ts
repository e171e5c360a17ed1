/**
 * The embedded default database: MongoDB's wire protocol over LMDB, in a process of its own.
 * See docs/reference/embedded-mongo.md.
 */
export { type EmbeddedMongo, type ServerOptions, startEmbeddedMongo } from './server';
