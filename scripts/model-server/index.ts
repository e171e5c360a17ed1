export { type ModelServer, type ModelServerOptions, type RequestRecord, startModelServer } from './server';
export { defaultScript, type ModelRequest, type Part, type Reply, type Script } from './script';
