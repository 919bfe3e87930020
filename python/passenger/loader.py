"""Loads an application: first config/passenger.py, then the startup file or the module that was named."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from . import configuration, interface
from .app import App
from .entry import find
from .failure import LoadError
from .progress import Progress


class Application(NamedTuple):
    """What answers requests."""

    function: Any
    interface: str
    """How it is called: `wsgi` or `asgi`."""


class Loader:
    """The working directory is the application's root."""

    def __init__(self, app: App, progress: Progress) -> None:
        self._app = app
        self._progress = progress

    def load(self) -> Application:
        """Raises LoadError, or what the application raises."""
        self._set_up_path()
        self._configure()
        found, name = self._from_entry(self._app.entry) if self._app.entry else self._from_startup_file()
        if self._app.factory:
            found, name = self._make(found, name)
        self._progress.begin("checking the application")
        return Application(found, interface.choose(found, name, self._app.interface))

    def _set_up_path(self) -> None:
        folder = self._app.app_dir or self._app.root
        if not os.path.isdir(folder):
            raise LoadError(f"there is no directory {folder}", "Name another one with --app-dir.")
        sys.path.insert(0, folder)

    def _configure(self) -> None:
        path = os.path.join(self._app.root, configuration.NAME)
        if os.path.exists(path):
            self._progress.begin(f"loading {configuration.NAME}")
            configuration.run(path)

    def _from_startup_file(self) -> tuple[Any, str]:
        path = self._app.startup_file
        if path is None:
            raise LoadError(
                "neither a startup file nor a module was given", "Add a passenger_wsgi.py, or name `module:attribute`."
            )
        self._progress.begin(f"loading {os.path.basename(path)}")
        if not os.path.isfile(path):
            raise LoadError(f"there is no file {path}", "Add it, or name another one with --startup-file.")
        return find(_execute(path), path, ())

    def _from_entry(self, text: str) -> tuple[Any, str]:
        name, _, attributes = text.partition(":")
        self._progress.begin(f"importing {name}")
        module = self._import(name)
        place = getattr(module, "__file__", None) or name
        return find(module, place, attributes.split(".") if attributes else ())

    def _import(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            # One of its own imports is another matter.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            folder = self._app.app_dir or self._app.root
            raise LoadError(
                f"there is no module {error.name} in {folder}, nor elsewhere on the module path",
                f"Check the name {self._app.entry!r}; if the module is in another directory, name that with --app-dir.",
            ) from None

    def _make(self, factory: Any, name: str) -> tuple[Any, str]:
        self._progress.begin(f"calling {name}")
        if not callable(factory):
            raise LoadError(f"{name} can't be called", "It is to make the application; or leave --factory out.")
        return factory(), f"what {name} has returned"


class _SourceLoader(SourceFileLoader):
    """Compiles the file anew each time. The cache of compiled files goes by the size and by whole seconds, so that a
    restart right after an edit could meet the old version."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _execute(path: str) -> ModuleType:
    """The startup file as a module of its own name, as if it had been imported."""
    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules or not name.isidentifier():
        name = "passenger_startup"
    loader = _SourceLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise LoadError(f"{path} can't be loaded as a Python file", "Name another file with --startup-file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module
