"""The drugs of the catalogue: recognised by any of their codes, with billing units, packages, REMS and minutes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.core import CANONICAL
from shared.yaml_files import read_yaml

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CPT = "http://www.ama-assn.org/go/cpt"
DRUG = CANONICAL + "CodeSystem/drug"

MEASURES = {
    "ug": ("mg", Decimal("0.001")), "mcg": ("mg", Decimal("0.001")), "mg": ("mg", Decimal(1)),
    "g": ("mg", Decimal(1000)), "U": ("U", Decimal(1)), "[iU]": ("U", Decimal(1)), "[USP'U]": ("U", Decimal(1)),
    "d": ("d", Decimal(1)),
}  # fmt: skip
"""Unit of a dose or a billing code -> the measure doses are counted in, and how much of it one unit is."""


def billing_system(code: str) -> str:
    """The code system of a billing code: five digits are CPT, a letter and four digits HCPCS level II."""
    return CPT if code.isdecimal() else HCPCS


def billed(coded: Mapping[str, Any] | None) -> str | None:
    """The billing code of a productOrService, HCPCS or CPT, or None."""
    codings = (coded or {}).get("coding", ())
    return next((c["code"] for c in codings if c.get("system") in (HCPCS, CPT) and "code" in c), None)


@dataclass(frozen=True, slots=True)
class BillingCode:
    """A HCPCS code: one billing unit is `amount` `unit` of drug, on service dates in [effective_from, effective_to]."""

    code: str
    amount: Decimal
    unit: str
    effective_from: date
    effective_to: date | None


@dataclass(frozen=True, slots=True)
class Minutes:
    """What one visit takes, in minutes."""

    setup: int
    infusion: int
    observation: int

    @property
    def total(self) -> int:
        return self.setup + self.infusion + self.observation


@dataclass(frozen=True, slots=True)
class Rems:
    """A drug's safety program: who must be enrolled in it, and after how many days anew (None: the program says).

    each_dose   whether the program is asked before each infusion, or once for an order.
    """

    program: str
    enrolled: tuple[str, ...]
    renew_days: int | None
    each_dose: bool


@dataclass(frozen=True, slots=True)
class Drug:
    """One product. `codes` are (system, code) pairs by which an order may name it.

    given       whether this practice gives it; what it does not give it knows for payers' criteria alone.
    packages    NDC -> billing units of one package.
    container   `single-dose`, `multi-dose`, or `none` for what comes in none.
    verified    what of it -> V, V2, K or PD (`drugs.yaml`).
    """

    key: str
    name: str
    therapy: str
    codes: frozenset[tuple[str, str]]
    billing: tuple[BillingCode, ...]
    vial: Decimal
    vial_unit: str
    min_gap_days: int
    window_days: int
    acuity: int
    treatments: tuple[Minutes, ...]
    given: bool
    packages: Mapping[str, Decimal]
    container: str
    source: str
    verified: Mapping[str, str]
    biosimilar_group: str | None = None
    rems: Rems | None = None

    def billing_on(self, on: date) -> BillingCode | None:
        """The HCPCS code for a date of service."""
        return next(
            (b for b in self.billing if b.effective_from <= on and (b.effective_to is None or on <= b.effective_to)),
            None,
        )

    def minutes(self, treatment: int) -> Minutes:
        """Chair minutes of the n-th treatment, counted from 1."""
        return self.treatments[min(treatment, len(self.treatments)) - 1]

    @property
    def measure(self) -> str:
        """What its doses are counted in: mg, U or d."""
        return MEASURES[self.billing[-1].unit][0]

    def units(self, amount: Decimal, on: date) -> Decimal | None:
        """Billing units of a dose in the drug's measure, rounded up to whole ones; None without a code that day."""
        code = self.billing_on(on)
        if code is None:
            return None
        return (amount / (code.amount * MEASURES[code.unit][1])).to_integral_value(ROUND_CEILING)


@cache
def products() -> tuple[Drug, ...]:
    """The whole catalogue, in file order."""
    path = Path(__file__).with_name("drugs.yaml")
    return tuple(_drug(row) for row in read_yaml(path.read_text(encoding="utf-8")))


@cache
def drugs() -> tuple[Drug, ...]:
    """The drugs this practice gives."""
    return tuple(d for d in products() if d.given)


@cache
def drug(key: str) -> Drug | None:
    """The drug of this catalogue key."""
    return next((d for d in products() if d.key == key), None)


def recognised(codings: Iterable[Mapping[str, Any]]) -> Drug | None:
    """The one drug these codings name that the practice gives, or None."""
    found = known(codings)
    return found if found is not None and found.given else None


def known(codings: Iterable[Mapping[str, Any]]) -> Drug | None:
    """The one drug these codings name (our own key, RxNorm, NDC of ten or eleven digits, HCPCS), or None."""
    named = _named()
    pairs = ((c.get("system", ""), eleven_digits(str(c.get("code", "")))) for c in codings)
    found = {d.key: d for system, code in pairs for d in named.get((system, _plain(code)), ())}
    return next(iter(found.values())) if len(found) == 1 else None


@cache
def _named() -> Mapping[tuple[str, str], tuple[Drug, ...]]:
    """The drugs of each code, written plainly."""
    found: dict[tuple[str, str], tuple[Drug, ...]] = {}
    for each in products():
        for pair in {(system, _plain(code)) for system, code in each.codes}:
            found[pair] = (*found.get(pair, ()), each)
    return found


NDC_PARTS = (5, 4, 2)
"""Digits of labeler, product and package as claims write them."""


def eleven_digits(code: str) -> str:
    """An NDC of ten digits in three parts as one of eleven: the short part gets a zero (FDA: 4-4-2, 5-3-2, 5-4-1).

    Anything else as it is.
    """
    parts = code.split("-")
    if len(parts) != len(NDC_PARTS) or len(code) != 12 or not "".join(parts).isdecimal():
        return code
    filled = [p.zfill(digits) for p, digits in zip(parts, NDC_PARTS, strict=True)]
    return "-".join(filled) if sum(map(len, filled)) == sum(NDC_PARTS) else code


def _plain(code: str) -> str:
    return code.replace("-", "").lower()


@cache
def _packages() -> Mapping[str, Mapping[str, Decimal]]:
    """HCPCS code -> NDC -> billing units of one package."""
    found: dict[str, dict[str, Decimal]] = {}
    with Path(__file__).with_name("packages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["hcpcs"], {})[row["ndc"]] = Decimal(row["units"])
    return found


def _drug(row: Mapping[str, Any]) -> Drug:
    billing = [b["code"] for b in row["hcpcs"]]
    packages = {ndc: units for code in billing for ndc, units in _packages().get(code, {}).items()}
    codes = {(DRUG, row["key"])} | {(HCPCS, code) for code in (*billing, *row.get("also", ()))}
    codes |= {(NDC, ndc) for ndc in packages} | {(RXNORM, c) for c in row.get("rxnorm", ())}
    return Drug(
        key=row["key"],
        name=row["name"],
        therapy=row["therapy"],
        codes=frozenset(codes),
        billing=tuple(
            BillingCode(b["code"], Decimal(str(b["amount"])), b["unit"], b["effective_from"], b.get("effective_to"))
            for b in row["hcpcs"]
        ),
        vial=Decimal(str(row["vial"]["amount"])),
        vial_unit=row["vial"]["unit"],
        min_gap_days=row["min_gap_days"],
        window_days=row["window_days"],
        acuity=row["acuity"],
        treatments=tuple(Minutes(t["setup"], t["infusion"], t["observation"]) for t in row["treatments"]),
        given=row.get("given", True),
        packages=packages,
        container=row["container"],
        source=f"{row['source']['title']} ({row['source']['date']})",
        verified=row["verified"],
        biosimilar_group=row.get("biosimilar_group"),
        rems=_rems(row["rems"]) if "rems" in row else None,
    )


def _rems(row: Mapping[str, Any]) -> Rems:
    return Rems(row["program"], tuple(row["enrolled"]), row.get("renew_days"), row.get("each_dose", False))
