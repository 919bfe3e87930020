"""What a process may have in it that does not survive a fork."""

from __future__ import annotations

import sys
from typing import Any

LIBRARIES = {
    "confluent_kafka": "confluent_kafka.cimpl",
    "grpc": "grpc._cython.cygrpc",
    "jax": "jaxlib",
    "pyvips": "pyvips",
    "tensorflow": "tensorflow.python",
}
"""Libraries with threads of their own, of which Python knows nothing, by a module that tells that they are loaded."""

_said: list[str] = []


def fork_unsafe(reason: str = "") -> None:
    """Says that this process must not be forked any more: it is not made a preloader by `refork_after`. It may be
    called at any time; while the application is loading it holds for all workers.

        passenger.fork_unsafe("has a session with the payment terminal")
    """
    _said.append(": ".join(filter(None, ["the application has called passenger.fork_unsafe", reason])))


def reason() -> str | None:
    """In one line; None if there is nothing."""
    if _said:
        return _said[0]
    torch: Any = sys.modules.get("torch.cuda")
    if torch is not None and torch.is_initialized():
        return "torch has used CUDA, which does not work in a copy of the process"
    for library, module in LIBRARIES.items():
        if module in sys.modules:
            return f"the library {library} is loaded, which does not work in a copy of a process that has used it"
    return None
