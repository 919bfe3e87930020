import os
from wsgiref.validate import validator

import crashes

crashes.at_boot(os.environ.get("CRASH_AT_BOOT"))


@validator
def application(environ, start_response):
    crashes.at(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}\n".encode()]
