'use strict';

/**
 * A socket of another server of the cluster, as `fetchSockets()` gives it.
 */
class RemoteSocket {
  #operator;

  /**
   * @param {import('../broadcast-operator').BroadcastOperator} operator broadcasts to the room of the
   *   socket's id, and expects a single response
   * @param {{id: string, handshake: object, rooms: Iterable<unknown>, data: unknown}} details what the other
   *   server tells of it
   */
  constructor(operator, { id, handshake, rooms, data }) {
    this.#operator = operator;
    this.id = id;
    this.handshake = handshake;
    this.rooms = new Set(rooms);
    this.data = data;
  }

  /**
   * How long the client may take to acknowledge what is emitted next.
   *
   * @param {number} timeout ms
   * @returns {import('../broadcast-operator').BroadcastOperator} to emit with
   * @throws {import('../../errors').InvalidTimeoutError} if it is not a number of ms
   */
  timeout(timeout) {
    return this.#operator.timeout(timeout);
  }

  /**
   * Emits an event to the client.
   *
   * @param {string} event its name
   * @param {...unknown} args its arguments
   * @returns {boolean} true
   */
  emit(event, ...args) {
    return this.#operator.emit(event, ...args);
  }

  /**
   * Makes the socket join rooms.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {void}
   */
  join(room) {
    this.#operator.socketsJoin(room);
  }

  /**
   * Makes the socket leave rooms.
   *
   * @param {unknown} room the room, or an array of several
   * @returns {void}
   */
  leave(room) {
    this.#operator.socketsLeave(room);
  }

  /**
   * Disconnects the socket.
   *
   * @param {boolean} [close=false] whether to end its connection too
   * @returns {this} the socket
   */
  disconnect(close = false) {
    this.#operator.disconnectSockets(close);
    return this;
  }
}

module.exports = { RemoteSocket };
