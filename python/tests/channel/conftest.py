from __future__ import annotations

from typing import Any, Iterator, List

import pytest

from passenger import extension
from passenger.pure.request_handler import RequestHandler as PureHandler
from support.slot import Serve, Slot

extension.load()

from passenger.wsgi import RequestHandler


@pytest.fixture(params=[RequestHandler, PureHandler], ids=["native", "pure"])
def handler(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def serve(handler: Any) -> Iterator[Serve]:
    """Starts a slot with an application."""
    slots: List[Slot] = []

    def start(app: Any, multithread: bool = False, show_errors: bool = False) -> Slot:
        slots.append(Slot(handler, app, multithread, show_errors))
        return slots[-1]

    yield start
    for slot in slots:
        slot.close()
        slot.wait()
