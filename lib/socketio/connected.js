'use strict';

/**
 * The sockets of a namespace by id, as `namespace.connected` of Socket.IO 2 has them: an object to read,
 * which shows the sockets that there are at that moment.
 *
 * @param {Map<string, import('./socket').Socket>} sockets the sockets by id
 * @returns {Record<string, import('./socket').Socket>} the object; changes of it have no effect
 */
function connectedOf(sockets) {
  return new Proxy(
    {},
    {
      get: (target, id) => sockets.get(id) ?? target[id],
      has: (target, id) => sockets.has(id) || id in target,
      ownKeys: () => [...sockets.keys()],
      getOwnPropertyDescriptor(target, id) {
        const value = sockets.get(id);
        return value && { value, writable: true, enumerable: true, configurable: true };
      },
      set: () => true,
      deleteProperty: () => true,
      defineProperty: () => true,
    },
  );
}

module.exports = { connectedOf };
