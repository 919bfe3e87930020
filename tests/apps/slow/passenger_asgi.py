"""Takes BOOT_SECONDS to boot, and `/SECONDS` to answer."""

import asyncio
import os
import time

time.sleep(float(os.environ.get("BOOT_SECONDS", "0")))


async def application(scope, receive, send):
    assert scope["type"] == "http"
    seconds = float(scope["path"][1:] or "0")
    await asyncio.sleep(seconds)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{os.getpid()} after {seconds} s\n".encode()})
