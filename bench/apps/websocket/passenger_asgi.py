"""Sends each message back; a plain request is answered as well, to see that the server is up."""


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    else:
        assert scope["type"] == "http"
        await hello(send)


async def echo(receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    message = await receive()
    while message["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
        message = await receive()


async def hello(send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"12")],
        }
    )
    await send({"type": "http.response.body", "body": b"Hello world\n"})
