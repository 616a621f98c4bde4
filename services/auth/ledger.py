"""Moves authorized units: reserved for a held time, kept for a booked one, given back, counted when given.

Law of this file: for every code 0 <= reserved + administered <= authorized, one charge per dose and code, and of one
dose all codes are reserved or none. A hold number is answered once; a dose carries its units along to its new time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

HOLDING = {"booked", "arrived", "checked-in", "fulfilled"}
"""Appointment statuses that keep a dose's units; `pending` keeps them once its number is answered `reserved`."""

Key = tuple[int, str]
"""Dose number, HCPCS code."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One Appointment of a dose. `needs` is HCPCS code -> units on its date, None where the dose cannot be counted."""

    reference: str
    dose: int
    status: str
    start: str = ""
    on: date | None = None
    hold: int | None = None
    needs: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Units of one code for one dose: `planned` reserved, `billable` administered, `aborted` given back."""

    dose: int
    code: str
    units: Decimal
    status: Literal["planned", "billable", "aborted"]
    visit: str
    start: str = ""
    hold: int | None = None


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """The answer to one hold number of one Appointment."""

    visit: str
    hold: int
    answer: Literal["reserved", "not-needed", "refused"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What the payer authorized for one code, first and last date included."""

    code: str
    units: Decimal
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Ledger:
    """An order's charges by dose and code, and the latest answer to each Appointment."""

    charges: Mapping[Key, Charge]
    answers: Mapping[str, HoldAnswer]

    def used(self, code: str, but: int | None = None) -> Decimal:
        """Units of a code that are reserved or administered; without those of dose `but`."""
        kept = (c.units for c in self.charges.values() if c.code == code and c.status != "aborted" and c.dose != but)
        return sum(kept, Decimal(0))

    def has(self, dose: int, status: str) -> bool:
        """Whether a dose has a charge of this status."""
        return any(c.dose == dose and c.status == status for c in self.charges.values())


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a held time is answered: no authorization needed, none there, or these grants.

    `given` are the doses whose visit was fulfilled.
    """

    needed: bool = True
    grants: tuple[Grant, ...] = ()
    given: frozenset[int] = frozenset()

    def grant(self, code: str) -> Grant | None:
        """What was authorized for a code."""
        return next((g for g in self.grants if g.code == code), None)


def settled(before: Ledger, visits: Iterable[Visit], terms: Terms, *, ended: bool = False) -> Ledger:
    """The ledger after everything the Appointments now say; settled again, it stays as it is."""
    timed = sorted(visits, key=lambda v: (v.start, v.reference))
    terms = replace(terms, given=frozenset(v.dose for v in timed if v.status == "fulfilled"))
    ledger = _released(before, timed, terms, ended)
    if not ended:
        for visit in timed:
            ledger = _answered(ledger, visit, terms)
    return _placed(ledger, timed)


def _released(ledger: Ledger, visits: list[Visit], terms: Terms, ended: bool) -> Ledger:
    """Units of a dose neither booked nor held any more go back; those of a fulfilled one count as given."""
    kept = set() if ended else {v.dose for v in visits if _holds(ledger, v)}

    def moved(charge: Charge) -> Charge:
        if charge.status != "planned":
            return charge
        if charge.dose in terms.given:
            return replace(charge, status="billable")
        return charge if charge.dose in kept else replace(charge, status="aborted")

    return replace(ledger, charges={k: moved(c) for k, c in ledger.charges.items()})


def _holds(ledger: Ledger, visit: Visit) -> bool:
    answer = ledger.answers.get(visit.reference)
    reserved = answer is not None and answer.hold == visit.hold and answer.answer == "reserved"
    return visit.status in HOLDING or (visit.status == "pending" and reserved)


def _answered(ledger: Ledger, visit: Visit, terms: Terms) -> Ledger:
    """Answers a held time's number, once; again only where the units it was promised have gone back since."""
    if visit.status != "pending" or visit.hold is None or _stands(ledger, visit):
        return ledger
    if not terms.needed:
        return _told(ledger, HoldAnswer(visit.reference, visit.hold, "not-needed"))
    refusal = next((code for rule in RULES if (code := rule(visit, ledger, terms))), None)
    if refusal is not None:
        return _told(ledger, HoldAnswer(visit.reference, visit.hold, "refused", refusal))
    return _told(_reserved(ledger, visit), HoldAnswer(visit.reference, visit.hold, "reserved"))


def _stands(ledger: Ledger, visit: Visit) -> bool:
    last = ledger.answers.get(visit.reference)
    if last is None or last.hold != visit.hold:
        return False
    return last.answer != "reserved" or ledger.has(visit.dose, "planned")


def _told(ledger: Ledger, answer: HoldAnswer) -> Ledger:
    return replace(ledger, answers={**ledger.answers, answer.visit: answer})


def _reserved(ledger: Ledger, visit: Visit) -> Ledger:
    charges = {
        (visit.dose, code): Charge(visit.dose, code, units, "planned", visit.reference, visit.start, visit.hold)
        for code, units in (visit.needs or {}).items()
    }
    return replace(ledger, charges={**ledger.charges, **charges})


def _placed(ledger: Ledger, visits: list[Visit]) -> Ledger:
    """Reserved units stand at the time that is booked, else at the latest one held."""
    holders: dict[int, Visit] = {}
    for visit in sorted(visits, key=lambda v: v.status in HOLDING):
        if _holds(ledger, visit):
            holders[visit.dose] = visit
    return replace(ledger, charges={k: _at(c, holders.get(c.dose)) for k, c in ledger.charges.items()})


def _at(charge: Charge, visit: Visit | None) -> Charge:
    if visit is None or charge.status != "planned":
        return charge
    return replace(charge, visit=visit.reference, start=visit.start, hold=visit.hold)


# Why a held time is refused


def authorization(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The payer has approved every code the dose needs."""
    if visit.needs is None or any(terms.grant(code) is None for code in visit.needs) or not terms.grants:
        return "not-authorized"
    return None


def authorized_period(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The date lies within the authorized period of every code, first and last day included."""
    found = [terms.grant(code) for code in visit.needs or ()]
    inside = visit.on is not None and all(g is None or g.start <= visit.on <= g.end for g in found)
    return None if inside else "outside-period"


def units_left(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """Enough authorized units of every code are neither reserved for another dose nor given."""
    for code, units in (visit.needs or {}).items():
        grant = terms.grant(code)
        if grant is not None and ledger.used(code, but=visit.dose) + units > grant.units:
            return "no-units-left"
    return None


def dose_not_given(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The dose was not administered already."""
    given = visit.dose in terms.given or ledger.has(visit.dose, "billable")
    return "dose-administered" if given else None


RULES: tuple[Callable[[Visit, Ledger, Terms], str | None], ...] = (
    authorization,
    authorized_period,
    dose_not_given,
    units_left,
)
"""In this order; the first refusal is the answer's reason."""
