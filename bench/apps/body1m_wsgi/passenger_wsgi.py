"""A 1 MB body in one piece: what it costs to move bytes."""

BODY = b"0123456789abcdef" * 64 * 1024


def application(environ, start_response):
    start_response("200 OK", [("content-type", "application/octet-stream"), ("content-length", str(len(BODY)))])
    return [BODY]
