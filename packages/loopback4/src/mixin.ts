import {
  type Application,
  type Binding,
  BindingScope,
  type Constructor,
  createBindingFromClass,
  type MixinTarget,
} from '@loopback/core';
import { LoopbackSocketComponent } from './component';
import { LoopbackSocketTags } from './keys';

/**
 * Binds a class whose methods clients call over sockets. `app.controller()` does as well for a class that REST
 * serves, too.
 *
 * @param app - the application
 * @param controllerClass - the class
 * @param name - a name for its binding; its own by default
 *
 * @example
 * socketController(app, BookController);
 */
export function socketController<T extends object>(
  app: Application,
  controllerClass: Constructor<T>,
  name?: string,
): Binding<T> {
  const binding = createBindingFromClass(controllerClass, {
    name,
    namespace: LoopbackSocketTags.SOCKET_CONTROLLERS,
    type: LoopbackSocketTags.SOCKET_CONTROLLER,
    defaultScope: BindingScope.TRANSIENT,
  });
  app.add(binding);
  return binding as Binding<T>;
}

/**
 * An application with the component and `app.socketController(Class)`.
 *
 * @example
 * class BookshopApplication extends LoopbackSocketMixin(BootMixin(RestApplication)) {}
 */
export function LoopbackSocketMixin<T extends MixinTarget<Application>>(superClass: T) {
  return class extends superClass {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    constructor(...args: any[]) {
      super(...args);
      this.component(LoopbackSocketComponent);
    }

    /** Binds a class whose methods clients call over sockets. */
    socketController<C extends object>(controllerClass: Constructor<C>, name?: string): Binding<C> {
      return socketController(this as unknown as Application, controllerClass, name);
    }
  };
}
