'use strict';

/**
 * A TCP load balancer in front of nodes, as clients have one: each connection goes to the next node that accepts it.
 */

const net = require('node:net');

/**
 * @param {() => number[]} targets the ports of the nodes, asked for each connection
 * @returns {Promise<{port: number, stop: () => Promise<void>}>}
 */
async function startBalancer(targets) {
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  let turn = 0;

  /**
   * @param {net.Socket} near
   * @param {number[]} ports those that were not tried yet
   */
  function connect(near, ports) {
    if (ports.length === 0) {
      near.resetAndDestroy();
      return;
    }
    const [port, ...others] = ports;
    const far = net.connect(port, '127.0.0.1');
    const retry = () => connect(near, others);
    far.once('error', retry);
    far.once('connect', () => {
      far.off('error', retry);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        sockets.add(from);
        from.setNoDelay(true);
        from.on('error', () => {});
        from.once('close', () => {
          sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }

  const server = net.createServer((near) => {
    near.on('error', () => {});
    const ports = targets();
    const first = turn++ % Math.max(1, ports.length);
    connect(near, [...ports.slice(first), ...ports.slice(0, first)]);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: server.address().port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

module.exports = { startBalancer };
