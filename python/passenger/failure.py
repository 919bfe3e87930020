"""Why a process could not do what it was told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import backtrace

if TYPE_CHECKING:
    from .channels import Control


class LoadError(Exception):
    """What is wrong with the application as it was found: one line that names the file, and what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Failure:
    """`error` ended the step."""

    def __init__(self, step: str, error: BaseException) -> None:
        self._step = step
        self._error = error

    def report(self, control: Control) -> None:
        """Tells the agent, or whoever reads the output when the agent is gone."""
        try:
            control.failed(backtrace.text(self._step), self._reason(), self._output())
        except OSError:
            sys.stderr.write(f"[passenger] {self._step}: {self._output()}\n")

    def _reason(self) -> str:
        if isinstance(self._error, SystemExit):
            return f"SystemExit: the application called sys.exit({self._error.code!r})"
        if isinstance(self._error, LoadError):
            return backtrace.message(self._error)
        return backtrace.title(self._error)

    def _output(self) -> str:
        # The place where a LoadError was raised is ours: it says all in its message.
        described = "" if isinstance(self._error, LoadError) else backtrace.describe(self._error)
        return described + self._remedy()

    def _remedy(self) -> str:
        error = self._error
        interpreter = f"Python {sys.version.split()[0]} ({sys.executable})"
        if isinstance(error, LoadError):
            return f"{error.remedy}\nThe application was loaded by {interpreter}.\n"
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = error.name.split(".")[0]
            return (
                f"{interpreter} has no module {package}. Install it there (`{sys.executable} -m pip install ...`), or "
                "choose the interpreter that has it, such as the one of the application's virtualenv, with --python.\n"
            )
        if isinstance(error, SyntaxError):
            return f"The file was read by {interpreter}; choose another interpreter with --python if it needs one.\n"
        return ""
