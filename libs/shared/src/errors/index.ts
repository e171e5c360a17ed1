export * from './codes';
export * from './reins-error';
export * from './render';
