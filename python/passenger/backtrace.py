"""Exceptions as text for people: the application's lines, not Passenger's own."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Any

OWN = (os.path.dirname(os.path.abspath(__file__)) + os.sep, "<frozen ", importlib.__file__)


def title(error: BaseException) -> str:
    """Class and message on one line."""
    lines = message(error).strip().splitlines()
    return ": ".join([class_name(error), *lines[:1]])


def describe(error: BaseException) -> str:
    """What Python prints for an uncaught exception and for what caused it, without Passenger's frames."""
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    _trim(report, set())
    return text("".join(report.format()))


def message(error: BaseException) -> str:
    """What the exception says, whatever the application has made of it."""
    try:
        return text(str(error))
    except Exception:
        return "(its message can't be shown: __str__ fails)"


def class_name(error: BaseException) -> str:
    """The name of the exception's class, with its module unless that is Python's or ours."""
    kind = type(error)
    is_known = kind.__module__ == "builtins" or kind.__module__.startswith(f"{__package__}.")
    return kind.__qualname__ if is_known else f"{kind.__module__}.{kind.__qualname__}"


def text(string: str) -> str:
    """The same, able to be sent as UTF-8: lone surrogates become escapes."""
    return string.encode("utf-8", "backslashreplace").decode()


def is_own(filename: str) -> bool:
    """Whether a frame of this file is Passenger's, or Python's import machinery."""
    return filename.startswith(OWN)


def _trim(report: Any, seen: set[int]) -> None:
    """Takes our frames out, here and in causes, unless there are no others."""
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    theirs = [frame for frame in report.stack if not is_own(frame.filename)]
    if theirs:
        report.stack[:] = theirs
    for inner in [report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())]:
        _trim(inner, seen)
