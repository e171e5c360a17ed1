export * from './clock';
export * from './interval';
export * from './retry';
export * from './rng';
