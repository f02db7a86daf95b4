import { IncomingMessage } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type LoopbackSocket from 'loopback-socket';

/**
 * The request that authentication strategies see: the handshake of a socket, with the token of its
 * `authentication` event in the `Authorization` header. It has what strategies read of Express's requests.
 */
export class HandshakeRequest extends IncomingMessage {
  /** The parameters of the handshake's URL. */
  readonly query: { [name: string]: unknown };
  /** What the client sent with `authentication`. */
  readonly body: unknown;
  readonly params: { [name: string]: string } = {};
  readonly originalUrl: string;
  readonly baseUrl = '';
  readonly path: string;
  readonly secure: boolean;
  readonly protocol: 'http' | 'https';
  readonly ip: string;
  readonly ips: string[] = [];

  /**
   * @param loopbackSocket - the socket
   * @param credentials - what its client sent
   * @param authorization - the `Authorization` header, if not that of the handshake
   */
  constructor(
    readonly loopbackSocket: LoopbackSocket.Socket,
    credentials: unknown,
    authorization: string | undefined,
  ) {
    const handshake = handshakeOf(loopbackSocket);
    super(connectionOf(handshake));
    this.method = 'GET';
    this.httpVersion = '1.1';
    this.url = handshake.url;
    this.originalUrl = handshake.url;
    this.path = handshake.url.split('?', 1)[0];
    this.query = { ...handshake.query };
    this.headers = { ...handshake.headers };
    if (authorization !== undefined) {
      this.headers.authorization = authorization;
    }
    this.rawHeaders = Object.entries(this.headers).flatMap(([name, value]) => [
      name,
      String(value),
    ]);
    this.body = credentials;
    this.secure = handshake.secure;
    this.protocol = handshake.secure ? 'https' : 'http';
    this.ip = handshake.address;
    this.complete = true;
    this.push(null);
  }

  /** A header, whatever the case of its name. */
  get(name: string): string | undefined {
    const key = name.toLowerCase();
    const value =
      key === 'referrer' ? (this.headers.referrer ?? this.headers.referer) : this.headers[key];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** The same as `get`. */
  header(name: string): string | undefined {
    return this.get(name);
  }

  /** The host that the client asked for, without its port. */
  get hostname(): string | undefined {
    return this.get('host')?.replace(/:\d+$/, '');
  }

  /** The cookies of the handshake, by name. */
  get cookies(): { [name: string]: string } {
    const cookies: { [name: string]: string } = Object.create(null);
    for (const part of (this.get('cookie') ?? '').split(';')) {
      const equals = part.indexOf('=');
      const name = part.slice(0, equals).trim();
      if (equals > 0 && !(name in cookies)) {
        cookies[name] = decode(
          part
            .slice(equals + 1)
            .trim()
            .replace(/^"(.*)"$/, '$1'),
        );
      }
    }
    return cookies;
  }
}

interface Handshake {
  headers: { [name: string]: string | string[] | undefined };
  url: string;
  query: { [name: string]: unknown };
  address: string;
  secure: boolean;
  auth?: unknown;
}

/** The handshake of a socket, complete whatever its server leaves out. */
export function handshakeOf(socket: LoopbackSocket.Socket): Handshake {
  const { headers, url, query, address, secure, auth } = (socket.handshake ??
    {}) as Partial<Handshake>;
  return {
    headers: headers ?? {},
    url: url || '/',
    query: query ?? {},
    address: address ?? '',
    secure: Boolean(secure),
    auth,
  };
}

/** What strategies read of the connection of a request. */
function connectionOf({ address, secure }: Handshake): NetSocket {
  const connection = {
    remoteAddress: address,
    encrypted: secure,
    destroy() {},
    on() {},
    once() {},
  };
  return connection as unknown as NetSocket;
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
