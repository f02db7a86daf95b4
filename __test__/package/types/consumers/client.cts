// The helper for clients, in TypeScript that is compiled to CommonJS.
import { io as connect } from 'socket.io-client';
import { client, RemoteError } from 'loopback-socket/client';
import type { Client } from 'loopback-socket/client';
import helper = require('loopback-socket/client');
import LoopbackSocket = require('loopback-socket');
import type { Expect, Same } from './expect';

interface Api {
  methods: { count(): number };
}
export type SameApi = Expect<Same<LoopbackSocket.MethodsOf<Api>, helper.MethodsOf<Api>>>;

const app: Client<Api> = client<Api>(connect());
export type SameClass = Expect<Same<typeof helper.RemoteError, typeof RemoteError>>;
app.call('count').then((count) => count satisfies number);
LoopbackSocket.get<Api>('bookshop').defineMethod('count', () => 1);
