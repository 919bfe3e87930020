"""bjoern with worker processes, which it leaves to its user: `bjoern_server.py PORT WORKERS`, in the app's directory.

Listens and loads `application` once, then forks, as bjoern's documentation shows.
"""

from __future__ import annotations

import os
import signal
import sys

import bjoern


def serve(port: int, workers: int) -> None:
    sys.path.insert(0, os.getcwd())
    from passenger_wsgi import application

    bjoern.listen(application, "127.0.0.1", port, listen_backlog=1024)
    children = [start_worker() for _ in range(workers)]
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGTERM) for child in children])
    for child in children:
        os.waitpid(child, 0)


def start_worker() -> int:
    child = os.fork()
    if child == 0:
        bjoern.run()
        os._exit(0)
    return child


serve(port=int(sys.argv[1]), workers=int(sys.argv[2]))
