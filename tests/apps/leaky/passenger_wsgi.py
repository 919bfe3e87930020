"""Keeps a megabyte for every request, for good: `/5` keeps five."""

import os
from wsgiref.validate import validator

leaked = []


@validator
def application(environ, start_response):
    leaked.append("x" * (int(environ["PATH_INFO"][1:] or "1") * 1024 * 1024))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} leaked {sum(map(len, leaked)) // 1024 // 1024} MB\n".encode()]
