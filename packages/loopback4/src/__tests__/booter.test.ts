// Controllers for sockets that the booter finds.

import { BootMixin } from '@loopback/boot';
import { RestApplication } from '@loopback/rest';
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { LoopbackSocketBindings, LoopbackSocketComponent } from '..';
import { call, Running } from './support';

class Bootable extends BootMixin(RestApplication) {
  constructor() {
    super({ rest: { port: 0, host: '127.0.0.1' } });
    this.component(LoopbackSocketComponent);
    this.configure(LoopbackSocketBindings.COMPONENT).to({ authentication: false });
    this.projectRoot = path.join(__dirname, 'fixtures');
  }
}

describe('the booter', () => {
  it('controllers in files with the suffix .socket.controller.js are found', async (t) => {
    const app = new Bootable();
    await app.boot();
    await app.start();
    const running = new Running(app, await app.get(LoopbackSocketBindings.SERVER));
    t.after(() => running.stop());
    const client = await running.login(undefined);
    assert.deepEqual(await call(client, 'hello'), { result: 'hello from the booter' });
  });

  it('the booter can be imported to be configured or extended', () => {
    const exported = require('../../booter');
    assert.deepEqual(exported.SocketControllerDefaults.extensions, ['.socket.controller.js']);
    assert.equal(typeof exported.SocketControllerBooter, 'function');
  });

  it('the options of the application say where controllers are', async () => {
    const app = new Bootable();
    app.bootOptions = { socketControllers: { dirs: ['elsewhere'], extensions: ['.js'] } };
    await app.boot();
    assert.deepEqual(app.find('socketControllers.*'), []);
  });
});
