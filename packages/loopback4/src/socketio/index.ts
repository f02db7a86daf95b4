export * from './decorators';
export * from './keys';
export * from './sequence';
export * from './types';
