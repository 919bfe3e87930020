from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest

from passenger import extension
from support.asgi import Channel, Worker, without_lifespan

try:
    extension.load()
except ImportError:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return str(request.param)


@pytest.fixture
def start(loop: str) -> Iterator[Callable[..., Worker]]:
    """Starts a server; `channels`, `show_errors` and the options of Server may be given."""
    workers: list[Worker] = []

    def start(app: Any, **options: Any) -> Worker:
        workers.append(Worker(app, loop=loop, **options))
        assert workers[-1].is_serving.wait(20), "the server does not start"
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture
def serve(start: Callable[..., Worker]) -> Callable[..., Channel]:
    """Starts a server for an application that knows nothing of lifespans, and returns the agent's end of its channel."""

    def serve(app: Any, **options: Any) -> Channel:
        return start(without_lifespan(app), **options).channels[0]

    return serve
