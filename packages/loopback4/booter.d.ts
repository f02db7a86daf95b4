export * from './dist/booter';
