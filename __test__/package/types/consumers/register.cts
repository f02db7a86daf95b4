// The preload, required as the first line of an app.
import register = require('loopback-socket/register');
import type { Expect, Same } from './expect';

export type ExportsNothing = Expect<Same<keyof typeof register, never>>;
