"""Flask with a route that has a parameter: a small, real application."""

from flask import Flask, Response

application = Flask(__name__)


@application.get("/")
def hello():
    return Response("Hello world\n", content_type="text/plain")


@application.get("/hello/<name>")
def hello_name(name):
    return Response(f"Hello {name}\n", content_type="text/plain")
