"""A place where a request waits until the test opens it, so that no test has to guess how long anything takes."""

import asyncio
import os
import time

DIRECTORY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tmp")
PATIENCE = 60


async def wait(key):
    """Notes in `tmp/at-gate-KEY` which process waits, then waits for `tmp/gate-KEY`."""
    note("at-gate-" + key)
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(os.path.join(DIRECTORY, f"gate-{key}")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate {key} was never opened")
        await asyncio.sleep(0.002)


def note(name):
    """Leaves a file in `tmp` that tells the test which process was here."""
    os.makedirs(DIRECTORY, exist_ok=True)
    with open(os.path.join(DIRECTORY, name), "w") as file:
        file.write(str(os.getpid()))
