"""The ways in which a Python process can end: at boot as CRASH_AT_BOOT says, later as the path says."""

import os
import signal
import sys
import time


def at_boot(fault):
    if fault == "exception":
        raise ValueError("DATABASE_URL is not set")
    if fault == "exit":
        print("the license has expired", file=sys.stderr)
        sys.exit(7)
    if fault == "exit-silently":
        os._exit(9)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hang":
        print("connecting to a database that never answers", flush=True)
        time.sleep(1000)
    if fault == "syntax":
        compile("def broken(", os.path.join(os.path.dirname(__file__), "broken.py"), "exec")
    if fault == "chatty":
        for i in range(2000):
            print(f"line {i} of a long complaint", file=sys.stderr)
        raise RuntimeError("the last word")


def at(path):
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1000)
    if path == "/segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if path == "/exit":
        os._exit(4)
