from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(ROOT / "python"))
os.environ.setdefault("PASSENGER_PYTHON_EXT", str(ROOT / "target/debug/lib_native.so"))

from support.interpreters import oldest
from support.site import Site


@pytest.fixture(params=[os.path.abspath(sys.executable), oldest()], ids=["this", "oldest"])
def python(request: pytest.FixtureRequest) -> str:
    """With the extension, and without it."""
    return str(request.param)


@pytest.fixture
def site(tmp_path: Path, python: str) -> Iterator[Site]:
    site = Site(tmp_path.resolve(), python)
    yield site
    for child in site.children:
        child.stop()
