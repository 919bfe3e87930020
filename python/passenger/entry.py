"""Finds the application in a module."""

from __future__ import annotations

import difflib
from types import ModuleType
from typing import Any, Sequence

from .failure import LoadError

USUAL = ("application", "app")
"""The names that an application goes by when none is given."""


def find(module: ModuleType, place: str, attributes: Sequence[str]) -> tuple[Any, str]:
    """What `attributes`, one within the other, lead to; without any, the first of the usual names that the module has.
    Returns its name for messages, too. `place` is the module's. Raises LoadError."""
    if not attributes:
        for name in USUAL:
            if hasattr(module, name):
                return getattr(module, name), f"`{name}` in {place}"
        names = " nor ".join(f"`{name}`" for name in USUAL)
        raise LoadError(f"{place} defines neither {names}", _suggestion(module, USUAL))
    value: Any = module
    for index, name in enumerate(attributes):
        if not hasattr(value, name):
            where = f"`{'.'.join(attributes[:index])}` in {place}" if index else place
            raise LoadError(f"{where} has no attribute `{name}`", _suggestion(value, [name]))
        value = getattr(value, name)
    return value, f"`{'.'.join(attributes)}` in {place}"


def _suggestion(owner: Any, wanted: Sequence[str]) -> str:
    """Which names there are that may be meant."""
    names = [name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name, None))]
    near = [match for name in wanted for match in difflib.get_close_matches(name, names)]
    near = list(dict.fromkeys([*near, *(name for name in names if "app" in name.lower())]))[:5]
    named = f"Is it {' or '.join(f'`{name}`' for name in near)}? " if near else ""
    return f"{named}Define it, or name another one: `passenger start module:attribute`."
