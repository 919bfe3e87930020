"""An application that fails, while its worker must not."""

import asyncio
import sys

from lib.bodies import PLAIN
from lib.handler import Handler


class CustomError(Exception):
    pass


class Failures(Handler):
    async def raise_(self, kind="standard"):
        if kind == "stack":
            await self.raise_(kind)
        raise {
            "standard": CustomError("the secret of the application"),
            "import": ImportError("no module named anything"),
            "no-memory": MemoryError("failed to allocate memory"),
            "interrupt": KeyboardInterrupt("an interrupt"),
            "base": BaseException("a BaseException"),
            "cancelled": asyncio.CancelledError("a CancelledError"),
            "markup": CustomError("<script>alert(1)</script>"),
            "surrogate": CustomError("half a \ud800 character"),
        }[kind]

    async def exit(self):
        sys.exit(3)

    async def raise_after_start(self):
        await self.start(200, PLAIN)
        raise CustomError("broken before the body")

    async def raise_in_body(self):
        await self.start(200, PLAIN)
        await self.body(b"one", more_body=True)
        raise CustomError("the body broke")

    async def raise_at_the_end(self):
        """The client has everything; only the log can tell."""
        await self.text("complete\n")
        raise CustomError("broken behind the answer")

    async def chained(self):
        try:
            open("/nowhere")
        except OSError as error:
            raise CustomError("the outer error") from error
