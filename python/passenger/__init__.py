"""Run Python applications: what an application can ask of the server that it runs in.

An application is served without importing this; it is there for hooks (`passenger.on`).
"""

from __future__ import annotations

from ._version import VERSION as __version__  # noqa: N811 - the name that tools look for
from .hooks import on

__all__ = ["__version__", "on"]
