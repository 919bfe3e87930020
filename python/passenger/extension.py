"""Finds and loads the native extension. One file serves every CPython from 3.9 on."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

NAME = f"{__package__}._native"
FILE = "_native.abi3.so"


def load() -> None:
    """Makes `passenger._native` importable. Raises ImportError, with the reason, where it can't be: in an interpreter
    that is not CPython 3.9 or newer, or when the file is missing or for another platform."""
    if NAME in sys.modules:
        return
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9):
        raise ImportError("Passenger's extension needs CPython 3.9 or newer")
    path = _path()
    loader = importlib.machinery.ExtensionFileLoader(NAME, path)
    spec = importlib.util.spec_from_file_location(NAME, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is no extension")
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        raise ImportError(f"Passenger's extension can't be loaded: {error}") from error
    sys.modules[NAME] = module


def _path() -> str:
    """The file that the environment names, else the one that was installed with this package."""
    given = os.environ.get("PASSENGER_PYTHON_EXT")
    return os.path.abspath(given) if given else os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE)
