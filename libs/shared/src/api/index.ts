export * from './access';
export * from './agents';
export * from './common';
export * from './definitions';
export * from './sessions';
