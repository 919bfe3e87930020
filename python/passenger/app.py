"""What the agent wants to be served."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class App(NamedTuple):
    """What to load and how; the `app` members of `load` in docs/protocol.md."""

    root: str
    """The application's directory, absolute; the working directory, too."""
    startup_file: str | None
    """The file that defines it, absolute; None when `entry` says where it is."""
    entry: str | None
    """`module:attribute`, the attribute optional and perhaps dotted or called."""
    factory: bool
    """Whether what `entry` names is called without arguments to get the application."""
    app_dir: str | None
    """Where modules are looked for first, absolute; None: the root."""
    interface: str | None
    """`wsgi` or `asgi`; None: the loaded application tells."""
    environment: str
    """`development`, `production`, ..."""
    multithread: bool
    """Whether more than one slot of a process serves at once (`wsgi.multithread`)."""
    show_errors: bool
    """Whether an error page may show the exception."""

    @classmethod
    def from_order(cls, order: Mapping[str, Any]) -> App:
        """Takes the members that concern the application from a `load` message."""
        return cls(**{name: order[name] for name in cls._fields})
