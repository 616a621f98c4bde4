"""What original Medicare lets be claimed for an infusion by a durable pump at home: pump, supplies, modifiers, units.

auth tells pump and supplies beside the benefit; whoever writes the claims takes the rest. Source: `pumps.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shared.catalogue.wastage import ClaimLine
from shared.yaml_files import read_yaml

Criteria = Literal["met", "notice", "neither"]


@dataclass(frozen=True, slots=True)
class Bags:
    """Bags of one protocol of blinatumomab: what they are made of, what each holds, how long they keep in days."""

    vials: int
    bags: int
    micrograms: int
    units: int
    use_within_days: int | None = None


# Pump, drug and supplies


def pumps_of(drug: str, on: date) -> tuple[str, ...]:
    """The pumps a drug of this HCPCS code is given by alone; () where any non-insulin pump serves."""
    return next((tuple(r["pumps"]) for r in _in_force("drugs", on) if r["code"] == drug), ())


def is_given_by(drug: str, pump: str, on: date) -> bool:
    """Whether drug and pump may stand on one claim."""
    return pump in (pumps_of(drug, on) or general())


def general() -> tuple[str, ...]:
    """The pumps for drugs that are bound to none: all but the insulin pump."""
    return tuple(r["code"] for r in _rules()["pumps"] if "for" not in r)


def supplies_of(pump: str, on: date) -> tuple[str, ...]:
    """The supply codes that go with a pump; () for what is no durable pump."""
    return next((tuple(r["supplies"]) for r in _in_force("pumps", on) if r["code"] == pump), ())


def goes_with(supply: str, pump: str, on: date, prefilled: bool = False) -> bool:
    """Whether a supply may be claimed with a pump; a cartridge never where the drug comes in its own."""
    own = prefilled and supply in _rules()["cartridges"]["codes"]
    return supply in supplies_of(pump, on) and not own


def durable() -> frozenset[str]:
    """Every durable external infusion pump."""
    return frozenset(r["code"] for r in _rules()["pumps"])


def disposable() -> frozenset[str]:
    """Devices that are thrown away: Medicare pays neither them nor the drug and supplies used with them."""
    return frozenset(_rules()["disposable"]["codes"])


def is_backup_paid(pump: str) -> bool:
    """Whether a second pump may be claimed for the case that the first one fails."""
    return pump not in _rules()["backup"]["refused"]


def idle_weeks(weeks: int) -> int:
    """Weeks of catheter supplies that may be claimed while nothing is infused."""
    return min(weeks, int(_rules()["weekly"]["most"]))


def drug_code(code: str | None, on: date, pumped: bool = True, compounded: bool = False) -> str | None:
    """The code a drug is claimed by: its own, else an unclassified one; None for a compound before its code began."""
    unclassified = _rules()["unclassified"]
    if compounded:
        began = unclassified["compounded"]["effective_from"] <= on
        return str(unclassified["compounded"]["code"]) if began else None
    return code or str(unclassified["with_pump" if pumped else "without_pump"])


# Modifiers and lines


def standing(code: str, criteria: Criteria, served: date, submitted: date) -> str | None:
    """What a line for this code says of the LCD's criteria: KX, GA or GZ; None before it was asked for.

    It hangs on the day of service and on the day the claim is submitted. `notice`: not met, and the patient has signed
    that he may have to pay it himself; `neither`: not met, and nobody told him.
    """
    asked = (r for r in _in_force("standing", served) if r["submitted_from"] <= submitted)
    rule = next((r for r in asked if code in r.get("codes", (code,))), None)
    return None if rule is None else str(rule[criteria])


def unpumped(device: str | None) -> str | None:
    """The modifier of a drug that no durable pump infuses: no benefit pays it."""
    return None if device in durable() else str(_rules()["disposable"]["modifier"])


def route(code: str, drug: str, on: date) -> str | None:
    """The modifier of a drug given under the skin, which its pump takes too."""
    row = next((r for r in _in_force("drugs", on) if r["code"] == drug), None)
    return row.get("modifier") if row and code in (drug, *row["pumps"]) else None


def split(lines: Iterable[ClaimLine]) -> tuple[ClaimLine, ...]:
    """The lines, none with more units than a claim has room for."""
    return tuple(part for line in lines for part in _parts(line, Decimal(_rules()["lines"]["most"])))


def _parts(line: ClaimLine, most: Decimal) -> Iterator[ClaimLine]:
    left = line.units
    while left > most:
        yield replace(line, units=most)
        left -= most
    yield replace(line, units=left)


def bags(days: int) -> Bags | None:
    """Of what the bags of blinatumomab are made that run so many days; None for a protocol there is not."""
    row = next((r for r in _rules()["bags"] if r["days"] == days), None)
    return row and Bags(row["vials"], row["bags"], row["micrograms"], row["units"], row.get("use_within_days"))


def _in_force(section: str, on: date) -> Iterator[Mapping[str, Any]]:
    return (r for r in _rules()[section] if r["effective_from"] <= on)


@cache
def _rules() -> Mapping[str, Any]:
    rules: Mapping[str, Any] = read_yaml(Path(__file__).with_name("pumps.yaml").read_text(encoding="utf-8"))
    return rules
