"""Conversations in which the order of things matters: disconnects, what happens at the same time, state."""

import asyncio

from lib import gate
from lib.bodies import PLAIN
from lib.handler import Handler

COUNTS = {"present": 0, "most": 0}
FATES = {}


class Exchanges(Handler):
    async def together(self, key):
        """Waits at a gate with others; answers with how many were there at the same time."""
        COUNTS["present"] += 1
        COUNTS["most"] = max(COUNTS["most"], COUNTS["present"])
        try:
            await gate.wait(key)
        finally:
            COUNTS["present"] -= 1
        await self.text(f"{COUNTS['most']}\n")

    async def present(self):
        """How many wait by `together` at the moment."""
        await self.text(f"{COUNTS['present']}\n")

    async def until_disconnect(self, key):
        """Waits for the client to leave before it has answered; `/fate/KEY` tells what came."""
        async for _ in self.pieces():
            pass
        gate.note("waits-" + key)
        FATES[key] = (await self.receive())["type"]

    async def stream_until_disconnect(self, key):
        """Sends until the client has left, which it hears of by `receive`."""
        async for _ in self.pieces():
            pass
        await self.start(200, PLAIN)
        gone = asyncio.ensure_future(self.receive())
        while not gone.done():
            await self.body(b"still here\n", more_body=True)
            await asyncio.sleep(0.002)
        FATES[key] = gone.result()["type"]

    async def receive_after_answer(self, key):
        """What `receive` says once the answer is complete."""
        async for _ in self.pieces():
            pass
        await self.text("answered\n")
        FATES[key] = (await self.receive())["type"]

    async def after_answer(self, key):
        """Works on when the client has its answer, as background tasks do."""
        await self.text("answered\n")
        await gate.wait(key)
        FATES[key] = "worked"
        gate.note("worked-" + key)

    async def fate(self, key):
        await self.text(FATES.get(key, "unknown") + "\n")

    async def greedy(self):
        """Sends for as long as it may, and notes how many of its 1,000 pieces of 100,000 bytes were taken."""
        await self.start(200, PLAIN)
        for i in range(1000):
            await self.body(b"x" * 100_000, more_body=True)
            FATES["greedy"] = str(i + 1)
        await self.body()

    async def state(self):
        """What the lifespan has left for requests, and whether it is this request's own."""
        state = self.scope.get("state", {})
        state["requests"] = state.get("requests", 0) + 1
        state.get("shared", []).append("request")
        await self.json(state)
