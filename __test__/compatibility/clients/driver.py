"""Drives clients of python-socketio for a test in JavaScript.

Reads commands from stdin and writes what happened to stdout, a JSON object a line. Bytes are
`{"bytes": base64}`. The first argument says which clients: `sync` or `asyncio`.

    {"client": 1, "op": "open", "url": ..., "namespace": ..., "transports": [...], "auth": ...,
     "events": [...]}                      answered by {"client": 1, "opened": true or a message}
    {"client": 1, "op": "emit", "name": ..., "args": [...]}
    {"client": 1, "op": "call", "call": 1, "name": ..., "args": [...]}
                                           answered by {"client": 1, "call": 1, "args": [...]}
    {"client": 1, "op": "transport", "call": 2}
    {"client": 1, "op": "disconnect"}      leaves the namespace
    {"client": 1, "op": "drop"}            ends the connection

An event that arrives is {"client": 1, "event": name, "args": [...]}; it is acknowledged with its
arguments. `connect`, `disconnect` and `refused` are {"client": 1, "happened": name, "args": [...]}.
"""

import asyncio
import base64
import contextlib
import json
import sys
import threading
from importlib.metadata import version

import socketio

output = threading.Lock()


def pack(value):
    """Makes JSON's values of a value with bytes."""
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {key: pack(item) for key, item in value.items()}
    return value


def unpack(value):
    """The opposite of pack."""
    if isinstance(value, dict):
        if list(value) == ["bytes"] and isinstance(value["bytes"], str):
            return base64.b64decode(value["bytes"])
        return {key: unpack(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unpack(item) for item in value]
    return value


def write(**message):
    """Tells the test."""
    with output:
        sys.stdout.write(json.dumps(pack(message)) + "\n")
        sys.stdout.flush()


def options(command):
    """What connect() takes; clients before 5 have no auth."""
    chosen = {"transports": command["transports"], "namespaces": [command["namespace"]]}
    if command.get("auth") is not None and int(version("python-socketio").split(".")[0]) >= 5:
        chosen["auth"] = command["auth"]
    return chosen


SETTINGS = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "randomization_factor": 0}


class Threads:
    """The clients of `sync`: every command has a thread of its own, but emits keep their order."""

    def __init__(self):
        self.clients = {}

    def run(self):
        for line in sys.stdin:
            command = json.loads(line)
            operation = getattr(self, command["op"])
            if command["op"] == "emit":
                operation(command)
            else:
                threading.Thread(target=operation, args=(command,), daemon=True).start()

    def open(self, command):
        number, namespace = command["client"], command["namespace"]
        client = socketio.Client(**SETTINGS)
        self.clients[number] = (client, namespace)

        def listen(name):
            def arrived(*args):
                write(client=number, event=name, args=args)
                return args

            client.on(name, arrived, namespace=namespace)

        def happened(name, reported):
            client.on(
                name,
                lambda *args: write(client=number, happened=reported, args=args),
                namespace=namespace,
            )

        for name in command["events"]:
            listen(name)
        happened("connect", "connect")
        happened("disconnect", "disconnect")
        happened("connect_error", "refused")
        try:
            client.connect(command["url"], **options(command))
            write(client=number, opened=True)
        except Exception as error:
            write(client=number, opened=str(error))

    def emit(self, command):
        client, namespace = self.clients[command["client"]]
        client.emit(command["name"], tuple(unpack(command["args"])), namespace=namespace)

    def call(self, command):
        client, namespace = self.clients[command["client"]]

        def answered(*args):
            write(client=command["client"], call=command["call"], args=args)

        args = tuple(unpack(command["args"]))
        client.emit(command["name"], args, namespace=namespace, callback=answered)

    def transport(self, command):
        client, _ = self.clients[command["client"]]
        write(client=command["client"], call=command["call"], args=[client.transport()])

    def disconnect(self, command):
        with contextlib.suppress(Exception):  # of clients that are not connected
            self.clients[command["client"]][0].disconnect()

    def drop(self, command):
        self.clients[command["client"]][0].eio.disconnect()


class Tasks:
    """The clients of `asyncio`: commands are tasks of one loop, begun in their order."""

    def __init__(self):
        self.clients = {}
        self.tasks = set()

    def run(self):
        asyncio.run(self.read())

    async def read(self):
        loop = asyncio.get_running_loop()
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            command = json.loads(line)
            task = loop.create_task(getattr(self, command["op"])(command))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def open(self, command):
        number, namespace = command["client"], command["namespace"]
        client = socketio.AsyncClient(**SETTINGS)
        self.clients[number] = (client, namespace)

        def listen(name):
            async def arrived(*args):
                write(client=number, event=name, args=args)
                return args

            client.on(name, arrived, namespace=namespace)

        def happened(name, reported):
            async def tell(*args):
                write(client=number, happened=reported, args=args)

            client.on(name, tell, namespace=namespace)

        for name in command["events"]:
            listen(name)
        happened("connect", "connect")
        happened("disconnect", "disconnect")
        happened("connect_error", "refused")
        try:
            await client.connect(command["url"], **options(command))
            write(client=number, opened=True)
        except Exception as error:
            write(client=number, opened=str(error))

    async def emit(self, command):
        client, namespace = self.clients[command["client"]]
        await client.emit(command["name"], tuple(unpack(command["args"])), namespace=namespace)

    async def call(self, command):
        client, namespace = self.clients[command["client"]]

        def answered(*args):
            write(client=command["client"], call=command["call"], args=args)

        args = tuple(unpack(command["args"]))
        await client.emit(command["name"], args, namespace=namespace, callback=answered)

    async def transport(self, command):
        client, _ = self.clients[command["client"]]
        transport = client.transport()
        if asyncio.iscoroutine(transport):
            transport = await transport
        write(client=command["client"], call=command["call"], args=[transport])

    async def disconnect(self, command):
        with contextlib.suppress(Exception):  # of clients that are not connected
            await self.clients[command["client"]][0].disconnect()

    async def drop(self, command):
        await self.clients[command["client"]][0].eio.disconnect()


if __name__ == "__main__":
    {"sync": Threads, "asyncio": Tasks}[sys.argv[1]]().run()
