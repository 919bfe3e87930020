"""A framework as it is used, with anyio."""

from __future__ import annotations

import pytest

from support.asgi import Latch, closing

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


async def home(request):
    return PlainTextResponse(f"{request.url} {request.client.host} {request.state.name}")


async def upload(request):
    return JSONResponse({"length": len(await request.body())})


async def stream(request):
    async def parts():
        for number in range(5):
            yield f"{number}\n"

    return StreamingResponse(parts())


async def file(request):
    return FileResponse(__file__)


async def background(request):
    return PlainTextResponse("answered", background=BackgroundTask(done.set))


def thread(request):
    return PlainTextResponse("from a thread")


async def chat(websocket):
    await websocket.accept(subprotocol=websocket.scope["subprotocols"][0])
    async for text in websocket.iter_text():
        await websocket.send_json({"heard": text})


done = Latch()


class Header(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-middleware"] = "yes"
        return response


def application():
    import contextlib

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"name": "state"}

    routes = [
        Route("/", home),
        Route("/upload", upload, methods=["POST"]),
        Route("/stream", stream),
        Route("/file", file),
        Route("/background", background),
        Route("/thread", thread),
        WebSocketRoute("/chat", chat),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Header)])


@pytest.fixture
def channel(start):
    return start(application()).channels[0]


def test_requests(channel, capsys):
    assert channel.get("/?a=b") == "http://example.com/?a=b 127.0.0.1 state"
    assert channel.get("/upload", method="POST", body=b"x" * 100_000) == '{"length":100000}'
    assert channel.get("/stream") == "0\n1\n2\n3\n4\n"
    assert channel.get("/thread") == "from a thread"
    channel.request("/missing")
    frames = channel.answer()
    assert (frames[0].aux, ("x-middleware", "yes") in frames[0].headers) == (404, True)
    assert capsys.readouterr().err == ""


def test_a_file(channel):
    channel.request("/file")
    frames = channel.answer()
    assert frames[0].aux == 200
    assert frames[-1].is_end


def test_a_background_task(channel):
    assert channel.get("/background") == "answered"
    done.wait()


def test_a_websocket(channel):
    channel.connect(protocols="v1")
    assert channel.next().aux == 101
    channel.say("hello")
    assert channel.next().payload == b'{"heard":"hello"}'
    channel.hang_up()
    assert closing(channel.next())


def test_a_startup_that_fails(start):
    import contextlib

    @contextlib.asynccontextmanager
    async def lifespan(app):
        raise ValueError("no database")
        yield

    worker = start(Starlette(lifespan=lifespan))
    worker.wait()
    assert "ValueError: no database" in str(worker.error)
