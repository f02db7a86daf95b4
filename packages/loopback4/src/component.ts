import {
  type Application,
  asLifeCycleObserver,
  type Binding,
  BindingScope,
  type Component,
  type Constructor,
  ContextTags,
  CoreBindings,
  createBindingFromClass,
  inject,
  injectable,
} from '@loopback/core';
import LoopbackSocket from 'loopback-socket';
import { SocketConfigurationError } from './errors';
import { LIFE_CYCLE_GROUP, LoopbackSocketBindings } from './keys';
import { LoopbackSocketServer } from './server';
import { SocketIoBindings } from './socketio/keys';
import {
  DefaultSocketIoSequence,
  SocketIoInvokeMethodProvider,
  SocketIoRejectProvider,
  SocketIoSendProvider,
} from './socketio/sequence';

/**
 * Serves the sockets of an application on the port of its RestServer. Configure it before the application
 * starts, through `app.configure(LoopbackSocketBindings.COMPONENT)`.
 *
 * @example
 * export class BookshopApplication extends BootMixin(RestApplication) {
 *   constructor(options: ApplicationConfig = {}) {
 *     super(options);
 *     this.component(AuthenticationComponent);
 *     registerAuthenticationStrategy(this, TokenStrategy);
 *     this.component(LoopbackSocketComponent);
 *     this.projectRoot = __dirname;
 *   }
 * }
 */
@injectable({ tags: { [ContextTags.KEY]: LoopbackSocketBindings.COMPONENT.key } })
export class LoopbackSocketComponent implements Component {
  bindings: Binding[] = [
    createBindingFromClass(LoopbackSocketServer, {
      key: LoopbackSocketBindings.SERVER,
      defaultScope: BindingScope.SINGLETON,
    }).apply(asLifeCycleObserver),
    createBindingFromClass(DefaultSocketIoSequence, { key: SocketIoBindings.SEQUENCE }),
  ];

  providers = {
    [SocketIoBindings.INVOKE_METHOD.key]: SocketIoInvokeMethodProvider,
    [SocketIoBindings.SEND_METHOD.key]: SocketIoSendProvider,
    [SocketIoBindings.REJECT_METHOD.key]: SocketIoRejectProvider,
  };

  constructor(@inject(CoreBindings.APPLICATION_INSTANCE) app: Application) {
    if (!app.isBound(LoopbackSocketBindings.INSTANCE)) {
      app
        .bind(LoopbackSocketBindings.INSTANCE)
        .toDynamicValue(() => {
          const { instance, timeout } = app.getSync(LoopbackSocketBindings.CONFIG, {
            optional: true,
          }) ?? { instance: undefined, timeout: undefined };
          if (instance !== undefined && timeout !== undefined) {
            throw new SocketConfigurationError(
              'INVALID_OPTION',
              'The configuration has both `instance` and `timeout`, which an instance has of its own: ' +
                "give it to that one, such as LoopbackSocket.get('bookshop', timeout).",
            );
          }
          return instance ?? new LoopbackSocket(app.name, timeout);
        })
        .inScope(BindingScope.SINGLETON);
    }
    // Behind `server`, so that the RestServer listens when sockets are served, and ends after them.
    if (!app.isBound(CoreBindings.LIFE_CYCLE_OBSERVER_OPTIONS)) {
      app
        .bind(CoreBindings.LIFE_CYCLE_OBSERVER_OPTIONS)
        .to({ parallel: true, orderedGroups: ['server', LIFE_CYCLE_GROUP] });
    }
  }

  /** Read by applications with the `BootMixin` alone, so that others need no `@loopback/boot`. */
  get booters(): Constructor<unknown>[] {
    return [(require('./booter') as typeof import('./booter')).SocketControllerBooter];
  }
}
