"""ASGI 3: many requests at once on one event loop.

`Server` keeps the loop; `Lifespan` tells the application when it begins and ends; `Tasks` makes a task of each request.
The channel, and what `receive` and `send` do, is in the extension.
"""

from .lifespan import StartupFailed
from .server import Server

__all__ = ["Server", "StartupFailed"]
