"""Applications in directories of their own, and real processes for them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from .agent_end import AgentEnd
from .child import Addressee, Child, SpawnedWorker


class Site:
    """A directory with an application, and the processes that were started for it with one interpreter."""

    def __init__(self, root: Path, python: str) -> None:
        self.root = root
        self.python = python
        self.children: list[Child] = []

    def write(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def app(self, code: str) -> None:
        """A passenger_wsgi.py; `reply(text)` in it makes an application that answers with a text, or what a function of
        the environment returns."""
        self.write({"passenger_wsgi.py": f"{REPLY}\n{code}"})

    def start(self, **options: Any) -> Child:
        child = Child(self.root, **{"python": self.python, **options})
        self.children.append(child)
        return child

    def preloader(self, env: Any = None, **options: Any) -> Child:
        """A ready one."""
        child = self.start(env=env)
        child.load(**options)
        child.wait_for("ready")
        return child

    def worker(self, child: Addressee, **options: Any) -> SpawnedWorker:
        """A ready one that `child` has forked."""
        worker = child.spawn(**options)
        worker.pid = child.wait_for("spawned")["pid"]
        worker.wait_for("ready")
        return worker

    def direct(self, slots: int = 1, env: Any = None, **options: Any) -> tuple[Any, ...]:
        """A ready process that serves directly, with the agent's ends of its data channels."""
        child = self.start(env=env)
        pairs = [socket.socketpair() for _ in range(slots)]
        child.load([theirs for _, theirs in pairs], **options)
        for _, theirs in pairs:
            theirs.close()
        child.wait_for("ready")
        return (child, *[AgentEnd(ours) for ours, _ in pairs])

    def failure(self, env: Any = None, **options: Any) -> dict[str, Any]:
        """What a process says that cannot load the application."""
        child = self.start(env=env)
        child.load(**options)
        message = child.receive()
        while message and message["message"] in ("hello", "progress"):
            message = child.receive()
        assert message is not None, f"no message, but output: {child.output.all()}"
        assert (message["message"], child.status()) == ("failed", 1), message
        return message


REPLY = """\
def reply(what):
    def application(environ, start_response):
        text = what(environ) if callable(what) else what
        start_response("200 OK", [("content-type", "text/plain")])
        return [text.encode()]
    return application
"""
REPLY_LINES = REPLY.count("\n") + 1
"""Lines before the code that was given to `Site.app`."""
