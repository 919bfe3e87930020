"""What the application does before the first request and after the last, as the environment variable LIFESPAN says."""

import asyncio
import os
import sys

from lib import gate


async def lifespan(scope, receive, send):
    how = os.environ.get("LIFESPAN", "normal")
    if how == "unsupported":
        raise NotImplementedError("this application knows no lifespan")
    message = await receive()
    assert message["type"] == "lifespan.startup", message
    if how == "raises":
        raise RuntimeError("the cache cannot be reached")
    if how == "hangs":
        await asyncio.Event().wait()
    if how == "fails":
        await send({"type": "lifespan.startup.failed", "message": "the database cannot be reached"})
        return
    if how == "slow":
        await asyncio.sleep(1)
    if "state" in scope:
        scope["state"].update(started_by=os.getpid(), shared=[])
    gate.note(f"started-{os.getpid()}")
    await send({"type": "lifespan.startup.complete"})
    if how == "returns":
        return
    message = await receive()
    assert message["type"] == "lifespan.shutdown", message
    print("shutting down", file=sys.stderr, flush=True)
    gate.note(f"stopped-{os.getpid()}")
    if how == "fails-at-the-end":
        await send({"type": "lifespan.shutdown.failed", "message": "the buffer was not flushed"})
        return
    await send({"type": "lifespan.shutdown.complete"})
