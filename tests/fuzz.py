"""How long what is fuzzed is fuzzed: briefly in `make test`, `CAREPOD_FUZZ=50` times as long by hand."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """So many examples, times CAREPOD_FUZZ."""
    return number * int(os.environ.get("CAREPOD_FUZZ", "1"))
