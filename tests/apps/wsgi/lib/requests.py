"""What the application sees of a request."""

import hashlib
import os
import resource
import subprocess
import sys
import time

from lib import gate
from lib.handler import Handler


class Requests(Handler):
    def hello(self):
        return self.text("Hello from the app\n")

    def pid(self):
        return self.text(f"{os.getpid()}\n")

    def wait(self, key):
        """Answers with the process id once the gate is open."""
        gate.wait(key)
        return self.pid()

    def note(self, key):
        """Adds a line to `tmp/notes`, so that a test can count how often this was done."""
        os.makedirs("tmp", exist_ok=True)
        with open("tmp/notes", "a") as notes:
            notes.write(f"{key}\n")
        return self.pid()

    def sleep(self, seconds):
        time.sleep(float(seconds))
        return self.pid()

    def background(self):
        """Starts a background process, as careless applications do, and answers with its id."""
        return self.text(f"{subprocess.Popen(['sleep', '1000']).pid}\n")

    def surroundings(self):
        """What the application finds around it, outside of requests."""
        return self.json(
            {
                "directory": os.getcwd(),
                "variables": dict(os.environ),
                "program": sys.argv[0],
                "arguments": sys.argv[1:],
                "uids": [os.getuid(), os.geteuid()],
                "gids": [os.getgid(), os.getegid()],
                "groups": sorted(os.getgroups()),
                "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
                "executable": sys.executable,
                "version": "{}.{}".format(*sys.version_info),
                "path": sys.path,
            }
        )

    def env(self, *_):
        """The environ, whatever follows in the path."""
        return self.json({name: presentable(value) for name, value in self.environ.items()})

    def echo(self):
        """Length and digest of the request body, read in pieces so that a big one is never in memory."""
        digest = hashlib.sha256()
        length = 0
        while True:
            piece = self.environ["wsgi.input"].read(65_536)
            if not piece:
                return self.json({"length": length, "sha256": digest.hexdigest()})
            digest.update(piece)
            length += len(piece)

    def input(self, how):
        """The request body read by the method of `wsgi.input` that the path names."""
        stream = self.environ["wsgi.input"]
        pieces = {
            "read-3": lambda: list(iter(lambda: stream.read(3), b"")),
            "readline": lambda: list(iter(stream.readline, b"")),
            "readline-4": lambda: list(iter(lambda: stream.readline(4), b"")),
            "readlines": stream.readlines,
            "iterate": lambda: list(stream),
        }[how]()
        at_end = [stream.read(1), stream.readline(), *stream.readlines()]
        return self.json({"pieces": [piece.decode() for piece in pieces], "at_end": b"".join(at_end).decode()})

    def ignore(self):
        """Answers without looking at the request body."""
        return self.text("ignored\n")

    def log(self, message):
        self.environ["wsgi.errors"].write(f"wsgi.errors: {message}\n")
        self.environ["wsgi.errors"].flush()
        print(f"stdout: {message}", flush=True)
        return self.text("logged\n")


def presentable(value):
    return value if value is None or isinstance(value, (str, bool, int, tuple)) else type(value).__name__
