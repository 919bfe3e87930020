"""The smallest WSGI application there is: what is left is the cost of the server."""


def application(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "12")])
    return [b"Hello world\n"]
