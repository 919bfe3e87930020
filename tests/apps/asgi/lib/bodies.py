"""Response bodies of every kind."""

import asyncio
import os

from lib import gate
from lib.handler import Handler

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "alphabet.txt")
PLAIN = ("content-type", "text/plain")


class Bodies(Handler):
    async def stream(self):
        """As many chunks as `count` says, one every `delay` seconds."""
        await self.start(200, PLAIN)
        for i in range(int(self.params.get("count", "3"))):
            await asyncio.sleep(float(self.params.get("delay", "0")))
            await self.body(f"chunk {i}\n".encode(), more_body=True)
        await self.body()

    async def gated(self, key):
        """Its second chunk comes once the gate is open."""
        await self.start(200, PLAIN)
        await self.body(b"before the gate\n", more_body=True)
        await gate.wait(key)
        await self.body(b"after the gate\n")

    async def big(self, length):
        """`length` bytes, the alphabet again and again, with a Content-Length."""
        length = int(length)
        await self.text(("abcdefghijklmnopqrstuvwxyz" * (length // 26 + 1))[:length])

    async def big_stream(self, length):
        """The same length, in pieces of 10,000 bytes and without a Content-Length."""
        whole, rest = divmod(int(length), 10_000)
        await self.start(200, ("content-type", "application/octet-stream"))
        for _ in range(whole):
            await self.body(b"z" * 10_000, more_body=True)
        await self.body(b"z" * rest)

    async def empty(self):
        await self.start(200, PLAIN)
        await self.body()

    async def file(self):
        """By the pathsend extension."""
        await self.start(200, PLAIN, ("content-length", str(os.path.getsize(FILE))))
        await self.send({"type": "http.response.pathsend", "path": FILE})

    async def file_without_length(self):
        await self.start(200, PLAIN)
        await self.send({"type": "http.response.pathsend", "path": FILE})

    async def file_missing(self):
        await self.start(200, PLAIN)
        await self.send({"type": "http.response.pathsend", "path": FILE + ".missing"})

    async def x_sendfile(self):
        await self.start(200, PLAIN, ("x-sendfile", FILE))
        await self.body()

    async def x_sendfile_unmodified(self):
        await self.start(304, ("x-sendfile", FILE))
        await self.body()

    async def x_sendfile_missing(self):
        await self.start(200, PLAIN, ("x-sendfile", FILE + ".missing"))
        await self.body()
