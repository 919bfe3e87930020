"""Response bodies of every kind."""

import os
import time
from collections import Counter

from lib import gate
from lib.handler import Handler

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "alphabet.txt")
CLOSED = Counter()
PLAIN = ("Content-Type", "text/plain")


class Closable:
    """Notes under its key that it was closed."""

    def __init__(self, key, chunks, error=None):
        self.key = key
        self.chunks = chunks
        self.error = error

    def __iter__(self):
        yield from self.chunks
        if self.error:
            raise self.error

    def close(self):
        CLOSED[self.key] += 1


class Bodies(Handler):
    def stream(self):
        """As many chunks as `count` says, one every `delay` seconds."""
        self.start(200, PLAIN)
        return self._slowly(int(self.params.get("count", "3")), float(self.params.get("delay", "0")))

    @staticmethod
    def _slowly(count, delay):
        for i in range(count):
            if i:
                time.sleep(delay)
            yield f"chunk {i}\n".encode()

    def gated(self, key):
        """Its second chunk comes once the gate is open."""
        self.start(200, PLAIN)
        return self._gated(key)

    @staticmethod
    def _gated(key):
        yield b"before the gate\n"
        gate.wait(key)
        yield b"after the gate\n"

    def big(self, length):
        """`length` bytes, the alphabet again and again, with a Content-Length."""
        length = int(length)
        return self.text(("abcdefghijklmnopqrstuvwxyz" * (length // 26 + 1))[:length])

    def big_stream(self, length):
        """The same length, in pieces of 10,000 bytes and without a Content-Length."""
        whole, rest = divmod(int(length), 10_000)
        self.start(200, ("Content-Type", "application/octet-stream"))
        return (b"z" * size for size in [10_000] * whole + [rest])

    def empty(self):
        self.start(200, PLAIN)
        return []

    def close(self, key):
        self.start(200, PLAIN)
        return Closable(key, [b"one", b"two"])

    def close_big(self, key):
        self.start(200, PLAIN)
        return Closable(key, [b"x" * 100_000] * 200)

    def close_after_error(self, key):
        self.start(200, PLAIN)
        return Closable(key, [b"one"], RuntimeError("the body broke"))

    def closed(self, key):
        return self.text(f"{CLOSED[key]}\n")

    def file(self):
        self.start(200, PLAIN, ("Content-Length", str(os.path.getsize(FILE))))
        return self.environ["wsgi.file_wrapper"](open(FILE, "rb"))

    def x_sendfile(self):
        self.start(200, PLAIN, ("X-Sendfile", FILE))
        return []

    def x_sendfile_unmodified(self):
        self.start(304, ("X-Sendfile", FILE))
        return []

    def x_sendfile_missing(self):
        self.start(200, PLAIN, ("X-Sendfile", FILE + ".missing"))
        return []
