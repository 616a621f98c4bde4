"""Which part of the product takes the CPU time: functions by where they stand, builtins by who calls them."""

from __future__ import annotations

import pstats
from collections import Counter
from typing import Any

AREAS = (
    ("validation and JSON gate", ("shared/fhir/", "shared/borders.py", "shared/memo.py")),
    ("store", ("shared/store/", "shared/adapters/sqlite.py", "shared/adapters/postgres.py")),
    (
        "coordination",
        ("services/", "shared/visits/", "shared/policy.py", "shared/catalogue/"),
    ),
    ("HTTP to partners", ("httpx/", "httpcore/", "anyio/", "h11/", "shared/outside.py", "shared/posting.py", "ssl.py")),
    ("HTTP face", ("shared/web/", "fastapi/", "starlette/", "uvicorn/", "shared/smart/")),
    ("run loop, inbox, relay, deliveries", ("shared/",)),
    ("event loop and threads", ("asyncio/", "uvloop/", "concurrent/", "threading.py", "contextlib.py")),
)
OTHER = "other"


def areas(stats: pstats.Stats) -> dict[str, float]:
    """The part of all time each area takes itself, the largest first."""
    profile: dict[Any, Any] = stats.stats  # type: ignore[attr-defined]
    took: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in profile.items():
        if function[0] != "~" or not callers:
            took[_area(function[0])] += own
            continue
        for caller, (_, _, of_caller, _) in callers.items():
            took[_area(caller[0])] += of_caller
    whole = sum(took.values()) or 1.0
    return {name: took[name] / whole for name in sorted(took, key=lambda name: -took[name])}


def _area(path: str) -> str:
    return next((name for name, places in AREAS if any(f"/{p}" in path for p in places)), OTHER)
