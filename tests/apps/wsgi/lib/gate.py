"""A place where a request waits until the test opens it, so that no test has to guess how long anything takes."""

import os
import time

DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tmp")
PATIENCE = 60


def wait(key):
    """Notes in `tmp/at-gate-KEY` which process waits, then waits for `tmp/gate-KEY`."""
    os.makedirs(DIRECTORY, exist_ok=True)
    with open(os.path.join(DIRECTORY, f"at-gate-{key}"), "w") as note:
        note.write(str(os.getpid()))
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(os.path.join(DIRECTORY, f"gate-{key}")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate {key} was never opened")
        time.sleep(0.002)
