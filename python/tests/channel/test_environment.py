from __future__ import annotations

import sys
from typing import Any, Dict, List
from wsgiref.validate import validator

import pytest

from support import frames
from support.slot import Serve

REPEATED = 2


@pytest.fixture
def environ_of(serve: Serve) -> Any:
    """The environment that an application sees for a request."""

    def environ_of(*arguments: Any, **request: Any) -> Dict[str, Any]:
        seen: List[Dict[str, Any]] = []

        def app(environ: Dict[str, Any], start_response: Any) -> List[bytes]:
            seen.append(environ)
            start_response("200 OK", [])
            return []

        serve(app, multithread=request.pop("multithread", False)).exchange(*arguments, **request)
        return seen[0]

    return environ_of


def test_what_pep_3333_asks_for(environ_of: Any) -> None:
    environ = environ_of("/caf%C3%A9/a%20b?x=%20y", headers=[("host", "shop.example:8080"), ("accept", "*/*")])

    assert type(environ) is dict
    expected = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/caf\xc3\xa9/a b",
        "QUERY_STRING": "x=%20y",
        "REQUEST_URI": "/caf%C3%A9/a%20b?x=%20y",
        "RAW_URI": "/caf%C3%A9/a%20b?x=%20y",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "shop.example:8080",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {name: environ[name] for name in expected} == expected
    assert not [name for name in environ if not isinstance(name, str)]
    assert "CONTENT_LENGTH" not in environ


def test_threads(environ_of: Any) -> None:
    assert environ_of(multithread=True)["wsgi.multithread"] is True


def test_https(environ_of: Any) -> None:
    environ = environ_of(scheme=1, headers=[("host", "shop.example")])

    assert (environ["wsgi.url_scheme"], environ["HTTPS"], environ["SERVER_PORT"]) == ("https", "on", "443")


def test_http_1_0_without_a_host(environ_of: Any) -> None:
    environ = environ_of(protocol=10, headers=[])

    assert (environ["SERVER_PROTOCOL"], environ["SERVER_NAME"]) == ("HTTP/1.0", "localhost")


def test_a_client_on_a_unix_socket(environ_of: Any) -> None:
    assert environ_of(peer="")["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("a.example", "a.example", "80"), ("[::1]:81", "[::1]", "81"), ("[::1]", "[::1]", "80"), ("a:", "a", "80")],
)
def test_hosts(environ_of: Any, host: str, name: str, port: str) -> None:
    environ = environ_of(headers=[("host", host)])

    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)


def test_a_base_uri(environ_of: Any) -> None:
    environ = environ_of("/sh%6Fp/cart?a", script="/sh%6Fp")

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/cart")
    assert environ["REQUEST_URI"] == "/sh%6Fp/cart?a"


def test_the_root_of_a_base_uri(environ_of: Any) -> None:
    environ = environ_of("/shop", script="/shop")

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "")


@pytest.mark.parametrize(
    ("path", "decoded"), [("/%", "/%"), ("/%4", "/%4"), ("/%zz%41", "/%zzA"), ("/a+b", "/a+b"), ("/%25%32", "/%2")]
)
def test_escapes(environ_of: Any, path: str, decoded: str) -> None:
    assert environ_of(path)["PATH_INFO"] == decoded


def test_headers_are_strings_of_bytes(environ_of: Any) -> None:
    environ = environ_of(headers=[("x-name", "caf\xe9"), ("user-agent", "\xff"), ("content-type", "text/plain")])

    assert (environ["HTTP_X_NAME"], environ["HTTP_USER_AGENT"]) == ("caf\xe9", "\xff")
    assert environ["CONTENT_TYPE"] == "text/plain"


def test_repeated_headers_are_joined(environ_of: Any) -> None:
    headers = [("accept", "a"), ("cookie", "b=1"), ("x-foo", "1"), ("accept", "c"), ("cookie", "d=2"), ("x-foo", "2")]
    environ = environ_of(headers=headers, flags=REPEATED)

    assert (environ["HTTP_ACCEPT"], environ["HTTP_COOKIE"], environ["HTTP_X_FOO"]) == ("a, c", "b=1; d=2", "1, 2")


def test_requests_have_nothing_in_common(serve: Serve) -> None:
    seen = []

    def app(environ: Dict[str, Any], start_response: Any) -> List[bytes]:
        seen.append(dict(environ))
        del seen[-1]["wsgi.early_hints"]
        environ.clear()
        start_response("200 OK", [])
        return []

    slot = serve(app)
    slot.exchange("/a?b", headers=[("host", "one"), ("x-only-here", "1"), ("accept", "x" * 1000)], script="/a")
    slot.exchange("/c", method="PURGE", headers=[("host", "two"), ("accept", "y")], peer="10.0.0.9")
    slot.exchange("/c", method="PURGE", headers=[("host", "two"), ("accept", "y")], peer="10.0.0.9")

    second = seen[1]
    assert second == seen[2]
    assert (second["HTTP_HOST"], second["HTTP_ACCEPT"], second["SERVER_NAME"]) == ("two", "y", "two")
    assert (second["SCRIPT_NAME"], second["PATH_INFO"], second["QUERY_STRING"]) == ("", "/c", "")
    assert (second["REQUEST_METHOD"], second["REMOTE_ADDR"]) == ("PURGE", "10.0.0.9")
    assert "HTTP_X_ONLY_HERE" not in second


def test_many_strange_headers(environ_of: Any) -> None:
    headers = [(f"x-{number}", str(number)) for number in range(500)]
    environ = environ_of(headers=headers)

    assert all(environ[f"HTTP_X_{number}"] == str(number) for number in range(500))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_validator_is_content(serve: Serve, method: str, capfd: pytest.CaptureFixture[str]) -> None:
    def app(environ: Dict[str, Any], start_response: Any) -> List[bytes]:
        environ["wsgi.input"].read(100)
        list(environ["wsgi.input"])
        write = start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        write(b"o")
        environ["wsgi.errors"].write("x")
        environ["wsgi.errors"].flush()
        return [b"" if method == "HEAD" else b"k"]

    slot = serve(validator(app))
    body = b"abc" if method == "POST" else b""
    headers = [("host", "a"), ("content-type", "text/plain")]
    answer = slot.exchange("/a%20b?c", method=method, headers=headers, body=body)

    slot.finish()
    assert (answer[0].aux, answer[-1].kind) == (200, "response" if method == "HEAD" else "data")
    assert capfd.readouterr().err.count("Error") == 0


def test_a_broken_request_ends_the_channel(serve: Serve) -> None:
    slot = serve(None)
    slot.write(frames.frame(1, 258, b"no request", flags=frames.END))

    with pytest.raises(OSError, match="Passenger's agent sent something unreadable"):
        slot.join()
    with pytest.raises((EOFError, ConnectionResetError)):
        slot.receive()
