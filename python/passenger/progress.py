"""The step that a process is at, for the agent to show, and to name if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .channels import Control


class Progress:
    """Starts at `step`; from `control` on, the agent is told of the following steps."""

    def __init__(self, step: str, control: Control | None = None) -> None:
        self.step = step
        self.control = control

    def begin(self, step: str) -> None:
        """`step` is a noun phrase: "loading passenger_wsgi.py"."""
        self.step = step
        if self.control is not None:
            self.control.progress(step)
