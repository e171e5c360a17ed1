export * from './connect';
export * from './events';
export * from './frames';
export * from './limits';
export * from './socket-events';
