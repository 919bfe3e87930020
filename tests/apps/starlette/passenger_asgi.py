"""Routes, middleware, static files and WebSockets of Starlette."""

import asyncio
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).resolve().parent


async def index(request):
    return PlainTextResponse(f"Hello from Starlette, {request.query_params.get('name', 'you')}\n")


async def upload(request):
    length = 0
    async for piece in request.stream():
        length += len(piece)
    return JSONResponse({"length": length, "pid": os.getpid()})


async def events(_):
    async def lines():
        for i in range(3):
            yield f"data: {i}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/event-stream")


class Echo(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket):
        wanted = websocket.scope["subprotocols"]
        await websocket.accept(subprotocol="echo.v2" if "echo.v2" in wanted else None)

    async def on_receive(self, websocket, data):
        await websocket.send_text(f"echo: {data}")

    async def on_disconnect(self, websocket, close_code):
        print(f"closed with {close_code}", flush=True)


async def guarded(websocket):
    await websocket.send_denial_response(PlainTextResponse("no entry\n", status_code=403))


application = Starlette(
    routes=[
        Route("/", index),
        Route("/upload", upload, methods=["POST"]),
        Route("/events", events),
        WebSocketRoute("/echo", Echo),
        WebSocketRoute("/guarded", guarded),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ],
    middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
)
