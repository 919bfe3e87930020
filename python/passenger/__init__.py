"""Run Python applications: what an application can ask of the server that it runs in.

An application is served without importing this; it is there for hooks (`passenger.on`, `passenger.fork_unsafe`).
"""

from __future__ import annotations

from ._version import VERSION as __version__  # noqa: N811 - the name that tools look for
from .hooks import on
from .unforkable import fork_unsafe

__all__ = ["__version__", "fork_unsafe", "on"]
