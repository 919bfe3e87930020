"""An application that fails, while its worker must not."""

import os
import sys

from lib.handler import Handler


class CustomError(Exception):
    pass


class Failures(Handler):
    def raise_(self, kind="standard"):
        if kind == "stack":
            return self.raise_(kind)
        raise {
            "standard": CustomError("the secret of the application"),
            "import": ImportError("no module named anything"),
            "no-memory": MemoryError("failed to allocate memory"),
            "interrupt": KeyboardInterrupt("an interrupt"),
            "base": BaseException("a BaseException"),
            "generator": GeneratorExit("a GeneratorExit"),
            "stop": StopIteration("a StopIteration"),
            "markup": CustomError("<script>alert(1)</script>"),
            "surrogate": CustomError("half a \ud800 character"),
        }[kind]

    def exit(self):
        sys.exit(3)

    def abort(self):
        sys.exit("aborted")

    def chained(self):
        """An error with a cause."""
        try:
            os.stat("/nowhere")
        except OSError as error:
            raise CustomError("the outer error") from error
