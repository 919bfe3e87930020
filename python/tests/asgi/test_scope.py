"""What the application is told of a request."""

from __future__ import annotations

import json

from support import frames
from support.asgi import respond


async def show(scope, receive, send):
    """Answers with the scope."""
    await respond(send, json.dumps(scope, default=lambda value: value.decode("latin-1")))


def scope_of(serve, target="/", **request):
    return json.loads(serve(show).get(target, **request))


def test_a_request_as_asgi_has_it(serve):
    headers = [("host", "example.com:80"), ("X-Foo", "bar"), ("cookie", "a=1"), ("cookie", "b=2")]
    assert scope_of(serve, "/caf%C3%A9/%2F?q=%20", headers=headers, method="PATCH") == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "PATCH",
        "scheme": "http",
        "path": "/café//",
        "raw_path": "/caf%C3%A9/%2F",
        "query_string": "q=%20",
        "root_path": "",
        "headers": [["host", "example.com:80"], ["x-foo", "bar"], ["cookie", "a=1"], ["cookie", "b=2"]],
        "client": ["127.0.0.1", 50000],
        "server": ["example.com", 3000],
        "state": {},
        "extensions": {"http.response.pathsend": {}, "http.response.early_hint": {}},
    }


def test_an_application_under_a_base_uri(serve):
    scope = scope_of(serve, "/sh%C3%B6p/cart", script="/sh%C3%B6p")
    assert (scope["root_path"], scope["path"]) == ("/shöp", "/shöp/cart")


def test_a_path_that_is_not_utf8_or_badly_escaped(serve):
    scope = scope_of(serve, "/%ff%zz%4")
    assert (scope["path"], scope["raw_path"]) == ("/\ufffd%zz%4", "/%ff%zz%4")


def test_https_and_an_old_client(serve):
    scope = scope_of(serve, protocol=10, scheme=1, method="BREW", headers=[])
    assert (scope["scheme"], scope["http_version"], scope["method"]) == ("https", "1.0", "BREW")
    assert scope["server"] == ["localhost", 3000]


def test_a_client_on_a_unix_socket_has_no_address(serve):
    assert scope_of(serve, peer="")["client"] is None


def test_an_ipv6_host(serve):
    assert scope_of(serve, headers=[("host", "[::1]:3000")])["server"] == ["::1", 3000]


def test_values_of_the_request_before_are_not_kept(serve):
    channel = serve(show)
    first = json.loads(channel.get("/a", peer="10.0.0.1", headers=[("host", "one")]))
    second = json.loads(channel.get("/b", peer="10.0.0.2", headers=[("host", "two")]))
    assert [scope["client"][0] for scope in (first, second)] == ["10.0.0.1", "10.0.0.2"]
    assert [scope["server"][0] for scope in (first, second)] == ["one", "two"]
    assert second["query_string"] == ""


def test_state_and_extensions_are_copies(start):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            scope["state"]["shared"] = [0]
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        scope["state"]["shared"].append(1)
        seen = len(scope["state"]), len(scope["extensions"]), len(scope["state"]["shared"])
        scope["state"]["mine"] = scope["extensions"]["mine"] = 1
        await respond(send, repr(seen))

    channel = start(app).channels[0]
    assert [channel.get(), channel.get()] == ["(1, 2, 2)", "(1, 2, 3)"]


def test_frames_that_arrive_in_pieces(serve):
    channel = serve(show)
    request = frames.request("/split", stream=1)
    for at in range(0, len(request), 7):
        channel.write(request[at : at + 7])
    assert json.loads(channel.answer()[0].body)["path"] == "/split"
