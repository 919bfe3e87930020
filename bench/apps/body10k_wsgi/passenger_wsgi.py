"""A 10 KB body in one piece: what it costs to move bytes."""

BODY = b"0123456789abcdef" * 64 * 10


def application(environ, start_response):
    start_response("200 OK", [("content-type", "application/octet-stream"), ("content-length", str(len(BODY)))])
    return [BODY]
