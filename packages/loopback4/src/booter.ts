import { type ArtifactOptions, BaseArtifactBooter, BootBindings, booter } from '@loopback/boot';
import { type Application, config, CoreBindings, inject } from '@loopback/core';
import { socketController } from './mixin';

/** Where controllers for sockets are looked for, unless `bootOptions.socketControllers` says otherwise. */
export const SocketControllerDefaults: ArtifactOptions = {
  dirs: ['controllers', 'socket-controllers'],
  extensions: ['.socket.controller.js'],
  nested: true,
};

/**
 * Binds the controllers for sockets that are found below the root of an application: by default
 * `controllers/*.socket.controller.js`. The component adds it to applications with the `BootMixin`.
 *
 * @example
 * this.bootOptions = { socketControllers: { dirs: ['sockets'], extensions: ['.controller.js'], nested: true } };
 */
@booter('socketControllers')
export class SocketControllerBooter extends BaseArtifactBooter {
  constructor(
    @inject(CoreBindings.APPLICATION_INSTANCE) readonly app: Application,
    @inject(BootBindings.PROJECT_ROOT) projectRoot: string,
    @config() options: ArtifactOptions = {},
  ) {
    super(projectRoot, { ...SocketControllerDefaults, ...options });
  }

  override async load(): Promise<void> {
    await super.load();
    for (const controllerClass of this.classes) {
      socketController(this.app, controllerClass);
    }
  }
}
