"""What may be claimed for an infusion by a durable pump at home."""

from __future__ import annotations

from dataclasses import astuple
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.catalogue import pumps
from shared.catalogue.wastage import ClaimLine

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("pumps.yaml").read_text(encoding="utf-8"))


def lines(rows: list[list[Any]]) -> tuple[ClaimLine, ...]:
    return tuple(ClaimLine(code, Decimal(units), modifier) for code, units, modifier in rows)


def plain(found: Any) -> Any:
    """An answer as a case writes it."""
    match found:
        case frozenset():
            return sorted(found)
        case tuple():
            return [*found]
        case pumps.Bags():
            return [*astuple(found)]
    return found


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c['ask']} {c.get('of', c.get('lines'))}") for c in CASES])
def test_a_claim_for_a_pump_says_what_the_article_asks_for(case: dict[str, Any]) -> None:
    if case["ask"] == "split":
        assert pumps.split(lines(case["lines"])) == lines(case["is"])
        return
    assert plain(getattr(pumps, case["ask"])(*case["of"])) == case["is"]


def test_every_protocol_uses_whole_vials_and_wastes_as_little_as_can_be() -> None:
    """A vial holds 35 micrograms, and one fewer would not do."""
    for days in (2, 3, 4, 7):
        found = pumps.bags(days)
        assert found is not None
        assert found.units == 35 * found.vials
        assert found.units >= found.bags * found.micrograms > found.units - 35
