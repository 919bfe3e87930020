"""The `passenger` command: becomes the agent. This Python is left behind; the agent starts the application's own."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

PACKAGE = os.path.dirname(os.path.abspath(__file__))
NAME = "passenger-agent"


def main() -> NoReturn:
    """Ends the process with a message if there is no agent."""
    candidates = _candidates()
    agent = next((path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK)), None)
    if agent is None:
        places = "\n  ".join(candidates)
        sys.exit(
            f"passenger: the {NAME} executable is missing; looked for\n  {places}\n"
            f"Reinstall the package with `{sys.executable} -m pip install --force-reinstall passenger`, or run "
            "`rake build` in a checkout."
        )
    # Not where the interpreter's symbolic link leads: what is beside the link makes it a virtualenv's.
    os.environ["PASSENGER_DEFAULT_PYTHON"] = sys.executable
    os.environ["PASSENGER_PYTHON_LIBDIR"] = os.path.dirname(PACKAGE)
    # A checkout has the extension beside the agent, an installed package in itself.
    extension = os.path.join(os.path.dirname(agent), "lib_native.so")
    if os.path.exists(extension):
        os.environ.setdefault("PASSENGER_PYTHON_EXT", extension)
    os.execv(agent, ["passenger", *sys.argv[1:]])


def _candidates() -> list[str]:
    """Where the agent may be: where the environment says, or installed beside this package, or in a checkout."""
    given = os.environ.get("PASSENGER_AGENT")
    if given:
        return [given]
    # An editable install has the package in the checkout and the agent where packages are installed.
    installed = [
        os.path.join(folder, "passenger_agent") for folder in dict.fromkeys([os.path.dirname(PACKAGE), *sys.path])
    ]
    found = [folder for folder in installed if os.path.isdir(folder)]
    target = os.path.join(os.path.dirname(os.path.dirname(PACKAGE)), "target")
    built = [os.path.join(target, profile) for profile in ("release", "debug")]
    return [os.path.join(folder, NAME) for folder in [*(found or installed[:1]), *built]]
