// The preload, imported as the first line of an app.
import 'loopback-socket/register';
// @ts-expect-error nothing is exported
import { register } from 'loopback-socket/register';
export type Unused = typeof register;
