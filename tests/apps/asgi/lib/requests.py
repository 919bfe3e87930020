"""What the application sees of a request."""

import asyncio
import hashlib
import os
import resource
import subprocess
import sys

from lib import gate
from lib.handler import Handler


class Requests(Handler):
    async def hello(self):
        await self.text("Hello from the app\n")

    async def pid(self):
        await self.text(f"{os.getpid()}\n")

    async def wait(self, key):
        """Answers with the process id once the gate is open."""
        await gate.wait(key)
        await self.pid()

    async def note(self, key):
        """Adds a line to `tmp/notes`, so that a test can count how often this was done."""
        os.makedirs("tmp", exist_ok=True)
        with open("tmp/notes", "a") as notes:
            notes.write(f"{key}\n")
        await self.pid()

    async def sleep(self, seconds):
        await asyncio.sleep(float(seconds))
        await self.pid()

    async def background(self):
        """Starts a background process, as careless applications do, and answers with its id."""
        await self.text(f"{subprocess.Popen(['sleep', '1000']).pid}\n")

    async def surroundings(self):
        """What the application finds around it, outside of requests."""
        await self.json(
            {
                "directory": os.getcwd(),
                "variables": dict(os.environ),
                "program": sys.argv[0],
                "arguments": sys.argv[1:],
                "uids": [os.getuid(), os.geteuid()],
                "gids": [os.getgid(), os.getegid()],
                "groups": sorted(os.getgroups()),
                "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
                "loop": type(asyncio.get_running_loop()).__module__,
            }
        )

    async def env(self, *_):
        """The scope in CGI's words, whatever follows in the path."""
        server = self.scope.get("server") or (None, None)
        env = {
            "REQUEST_METHOD": self.scope["method"],
            "PATH_INFO": self.scope["path"],
            "QUERY_STRING": self.scope["query_string"].decode(),
            "SERVER_NAME": server[0],
            "SERVER_PORT": server[1],
            "SERVER_PROTOCOL": "HTTP/" + self.scope["http_version"],
        }
        for name, value in self.scope["headers"]:
            env["HTTP_" + name.decode().upper().replace("-", "_")] = value.decode()
        await self.json(env)

    async def scope_(self, *_):
        """The scope itself, whatever follows in the path; bytes as Latin-1."""
        await self.json({name: presentable(value) for name, value in self.scope.items()})

    async def echo(self):
        """Length and digest of the request body, as it comes in pieces."""
        digest = hashlib.sha256()
        length = 0
        async for piece in self.pieces():
            digest.update(piece)
            length += len(piece)
        await self.json({"length": length, "sha256": digest.hexdigest()})

    async def ignore(self):
        """Answers without looking at the request body."""
        await self.text("ignored\n")

    async def log(self, message):
        print(f"stderr: {message}", file=sys.stderr, flush=True)
        print(f"stdout: {message}", flush=True)
        await self.text("logged\n")


def presentable(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [presentable(element) for element in value]
    if isinstance(value, dict):
        return {name: presentable(element) for name, element in value.items()}
    return value if value is None or isinstance(value, (str, bool, int)) else type(value).__name__
