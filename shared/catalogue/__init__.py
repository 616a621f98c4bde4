"""The drugs the practice infuses: recognised by any of their codes, with billing units and chair minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from shared.core import CANONICAL

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DRUG = CANONICAL + "CodeSystem/drug"


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
class Drug:
    """One product. `codes` are (system, code) pairs by which an order may name it."""

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
    biosimilar_group: str | None = None

    def billing_on(self, on: date) -> BillingCode | None:
        """The HCPCS code for a date of service."""
        return next(
            (b for b in self.billing if b.effective_from <= on and (b.effective_to is None or on <= b.effective_to)),
            None,
        )

    def minutes(self, treatment: int) -> Minutes:
        """Chair minutes of the n-th treatment, counted from 1."""
        return self.treatments[min(treatment, len(self.treatments)) - 1]

    def units(self, amount: Decimal, on: date) -> Decimal | None:
        """Billing units of a dose in the code's own measure, rounded up to whole ones; None without a code that day."""
        code = self.billing_on(on)
        return None if code is None else (amount / code.amount).to_integral_value(ROUND_CEILING)


@cache
def drugs() -> tuple[Drug, ...]:
    """The whole catalogue, in file order."""
    path = Path(__file__).with_name("drugs.yaml")
    return tuple(_drug(row) for row in yaml.safe_load(path.read_text(encoding="utf-8")))


def drug(key: str) -> Drug | None:
    """The drug of this catalogue key."""
    return next((d for d in drugs() if d.key == key), None)


def recognised(codings: Iterable[Mapping[str, Any]]) -> Drug | None:
    """The one drug these codings name (our own key, RxNorm, NDC with or without hyphens, HCPCS), or None."""
    pairs = {(c.get("system", ""), str(c.get("code", "")).replace("-", "").lower()) for c in codings}
    found = {
        d.key: d for d in drugs() if any((system, code.replace("-", "").lower()) in pairs for system, code in d.codes)
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _drug(row: Mapping[str, Any]) -> Drug:
    codes = {(DRUG, row["key"])}
    codes |= {(NDC, c) for c in row.get("ndc", ())} | {(RXNORM, c) for c in row.get("rxnorm", ())}
    codes |= {(HCPCS, b["code"]) for b in row["hcpcs"]}
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
        biosimilar_group=row.get("biosimilar_group"),
    )
