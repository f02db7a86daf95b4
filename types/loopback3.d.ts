// LoopBack 3: its remote methods over sockets.

/**
 * A LoopBack 3 application, what `loopback()` returns. Of its members, `remotes` tells it from other Express
 * applications; type definitions for LoopBack do not have all of the others.
 */
export interface LoopBack3Application {
  remotes(): any;
  handler?(type: string, options?: any): any;
  model?(Model: any, config?: any): any;
  registry?: any;
  request?: any;
  response?: any;
}

/** A model class of LoopBack 3. */
export interface LoopBack3Model {
  new (...args: any[]): any;
  modelName: string;
}

/** Options of `exposeModels`. */
export interface ExposeOptions<Credentials = any, S = any> {
  /**
   * Models, or their names: all their remote methods are exposed. If neither `models` nor `methods` is
   * given, everything that the application serves over REST is exposed.
   */
  models?: ReadonlyArray<string | LoopBack3Model>;
  /**
   * Names of remote methods, or of the subscriptions to changes, that are exposed in addition to those
   * of `models`.
   *
   * @example
   * sockets.exposeModels(app, { methods: ['Book.find', 'Book.prototype.patchAttributes'] });
   */
  methods?: ReadonlyArray<string>;
  /**
   * Returns the access token of a call: an instance of the application's AccessToken model, the id of
   * one, or nothing. By default `socket.accessToken`, else the token whose id is `credentials.id`, or
   * the credentials themselves if they are a string.
   *
   * @example
   * sockets.exposeModels(app, { accessToken: (socket) => socket.handshake.auth.token });
   */
  accessToken?(socket: S, credentials: Credentials): unknown;
}

/**
 * An item of the subscription `Model.changes`.
 *
 * @typeParam Data - the properties of the model
 */
export interface ModelChange<Data = any> {
  type: 'create' | 'update' | 'remove';
  /** The id of the instance; missing if many were changed at once, or if it is hidden. */
  target?: any;
  /** The instance after the change; of an update of many, what was set; missing if it was removed by its id. */
  data?: Data;
  /** The filter of the operation, if it had one; `null` if it names properties that are hidden from clients. */
  where?: any;
}
