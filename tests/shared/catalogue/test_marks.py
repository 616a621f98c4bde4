"""Every figure of the catalogue's rules says whether it was read in its source, and which one that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import catalogue

FOLDER = Path(catalogue.__file__).parent
FILES = ("pumps", "home_infusion", "nutrition", "per_diem")


def sections(file: str) -> Iterator[tuple[str, list[Mapping[str, Any]], Any]]:
    """Name, rows and source of each section of a file."""
    said = yaml.safe_load((FOLDER / f"{file}.yaml").read_text(encoding="utf-8"))
    for name, found in said.items():
        if name != "source" and not name.endswith("_source"):
            rows = found if isinstance(found, list) else [found]
            yield name, rows, said.get(f"{name}_source") or rows[0].get("source") or said.get("source")


@pytest.mark.parametrize("file", FILES)
def test_every_row_is_marked_and_has_a_source(file: str) -> None:
    for name, rows, source in sections(file):
        assert source["title"], name
        assert source["year"] in range(2012, 2027), name
        assert {r["verified"] for r in rows} <= {"V", "V2", "K", "PD"}, name
