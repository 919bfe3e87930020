"""Takes BOOT_SECONDS to boot, and `/SECONDS` to answer."""

import os
import time
from wsgiref.validate import validator

time.sleep(float(os.environ.get("BOOT_SECONDS", "0")))


@validator
def application(environ, start_response):
    seconds = float(environ["PATH_INFO"][1:] or "0")
    time.sleep(seconds)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} after {seconds} s\n".encode()]
