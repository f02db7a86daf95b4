// The types of `require('loopback-socket/client')`.

export * from './types/client';
