"""`python -m passenger`: the `passenger` command."""

from __future__ import annotations

from .cli import main

main()
