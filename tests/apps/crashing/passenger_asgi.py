import os

import crashes

crashes.at_boot(os.environ.get("CRASH_AT_BOOT"))


async def application(scope, receive, send):
    assert scope["type"] == "http"
    crashes.at(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"{os.getpid()}\n".encode()})
