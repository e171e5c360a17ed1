export * from './machine';
export * from './operation';
export * from './session';
export * from './turn';
