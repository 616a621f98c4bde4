"""Moves authorized units: reserved for a held time, kept for a booked one, given back, counted when given.

Law of this file: for every code 0 <= reserved + administered <= authorized, one charge per dose and code, and of one
dose all codes are reserved or none. A hold number is answered once; a dose carries its units along to its new time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

HOLDING = {"booked", "arrived", "checked-in", "fulfilled"}
"""Appointment statuses that keep a dose's units; `pending` keeps them once its number is answered `reserved`."""

Dose = int | str
"""What a visit is for: the number of an ordered dose; at home else the kind of visit and its number (`teach-2`)."""

Answer = Literal["reserved", "not-needed", "refused"]

Key = tuple[Dose, str]
"""Dose, billing code."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One Appointment. `needs` is billing code -> units on its date: none for a visit that takes none of what is
    authorized, None where the dose cannot be counted."""

    reference: str
    dose: Dose
    status: str
    start: str = ""
    on: date | None = None
    hold: int | None = None
    needs: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Units of one code for one dose: `planned` reserved, `billable` administered, `aborted` given back.

    `on` is the date of service: by it units count to the period that covers it.
    """

    dose: Dose
    code: str
    units: Decimal
    status: Literal["planned", "billable", "aborted"]
    visit: str
    start: str = ""
    hold: int | None = None
    on: date | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HoldAnswer:
    """The answer to one hold number of one Appointment; `reason` of a refusal, or of what may go ahead undecided."""

    visit: str
    hold: int
    answer: Answer
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What the payer authorized for one code, first and last date included."""

    code: str
    units: Decimal
    start: date
    end: date

    def covers(self, on: date | None) -> bool:
        """Whether a date of service lies within it, first and last day included."""
        return on is not None and self.start <= on <= self.end


@dataclass(frozen=True, slots=True)
class Allowed:
    """First and last day of what goes ahead before the payer's decision, and why it may."""

    start: date
    end: date
    reason: str

    def covers(self, on: date | None) -> bool:
        """Whether a visit of this day is one of them."""
        return on is not None and self.start <= on <= self.end


@dataclass(frozen=True, slots=True)
class Ledger:
    """An order's charges by dose and code, and the latest answer to each Appointment."""

    charges: Mapping[Key, Charge]
    answers: Mapping[str, HoldAnswer]

    def used(self, grant: Grant, terms: Terms, but: Dose | None = None) -> Decimal:
        """Units of a grant that are reserved or administered; without those of dose `but`."""
        kept = (c for c in self.charges.values() if c.code == grant.code and c.status != "aborted" and c.dose != but)
        return sum((c.units for c in kept if terms.counts_to(c.code, c.on) == grant), Decimal(0))

    def promised(self, grant: Grant, terms: Terms, but: Dose) -> Decimal:
        """Units of a grant that the second time held for a dose takes once it is kept; without those of dose `but`."""
        code = grant.code
        moving = {
            c.dose
            for c in self.charges.values()
            if (c.code, c.status) == (code, "planned") and terms.grant(code, c.on) != grant and c.dose != but
        }
        held = (v for v in terms.held if v.dose in moving and _holds(self, v) and terms.grant(code, v.on) == grant)
        return sum({v.dose: (v.needs or {}).get(code, Decimal(0)) for v in held}.values(), Decimal(0))

    def has(self, dose: Dose, status: str) -> bool:
        """Whether a dose has a charge of this status."""
        return any(c.dose == dose and c.status == status for c in self.charges.values())


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a held time is answered: no authorization needed, none there, or these grants.

    `given` are the doses whose visit was fulfilled; `allowed` the days on which a visit needs no decision yet.
    """

    needed: bool = True
    grants: tuple[Grant, ...] = ()
    given: frozenset[Dose] = frozenset()
    allowed: Allowed | None = None
    held: tuple[Visit, ...] = ()

    def grant(self, code: str, on: date | None) -> Grant | None:
        """What was authorized for a code by the period that covers a date; the first there is where none does."""
        found = [g for g in self.grants if g.code == code]
        return next((g for g in found if g.covers(on)), found[0] if found else None)

    def counts_to(self, code: str, on: date | None) -> Grant | None:
        """The grant a charge of this date takes its units from; none where no period covers the date."""
        found = self.grant(code, on)
        return found if found is not None and (on is None or found.covers(on)) else None


Rule = Callable[[Visit, Ledger, Terms], str | None]


def settled(before: Ledger, visits: Iterable[Visit], terms: Terms, *, ended: bool = False) -> Ledger:
    """The ledger after everything the Appointments now say; settled again, it stays as it is."""
    timed = sorted(visits, key=lambda v: (v.start, v.reference))
    terms = replace(terms, held=tuple(timed), given=frozenset(v.dose for v in timed if v.status == "fulfilled"))
    ledger = _released(before if ended else _counted(before, timed, terms), timed, terms, ended)
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


def _counted(ledger: Ledger, visits: list[Visit], terms: Terms) -> Ledger:
    """What went ahead before the decision takes its units once there is one; where it does not cover it, that is told.

    A visit that is held and not yet booked is answered anew like any other.
    """
    for visit in visits:
        if visit.status in HOLDING and terms.grants and (_went_ahead(ledger, visit) or _uncounted(ledger, visit)):
            ledger = _decided(ledger, visit, terms, COUNTING)
    return ledger


def _decided(ledger: Ledger, visit: Visit, terms: Terms, rules: Iterable[Rule]) -> Ledger:
    """The visit reserved, let go ahead, or refused by the first rule that speaks."""
    refusal = next((code for rule in rules if (code := rule(visit, ledger, terms))), None)
    if refusal is None:
        return _told(_reserved(ledger, visit), visit, "reserved")
    if refusal == UNDECIDED and terms.allowed is not None and terms.allowed.covers(visit.on):
        return _told(ledger, visit, "not-needed", terms.allowed.reason)
    return _told(ledger, visit, "refused", refusal)


def _went_ahead(ledger: Ledger, visit: Visit) -> bool:
    last = ledger.answers.get(visit.reference)
    return last is not None and last.hold == visit.hold and last.answer == "not-needed" and last.reason is not None


def _uncounted(ledger: Ledger, visit: Visit) -> bool:
    """Whether a visit took place that no decision has covered yet."""
    last = ledger.answers.get(visit.reference)
    return visit.status == "fulfilled" and last is not None and (last.hold, last.answer) == (visit.hold, "refused")


def _holds(ledger: Ledger, visit: Visit) -> bool:
    answer = ledger.answers.get(visit.reference)
    reserved = answer is not None and answer.hold == visit.hold and answer.answer == "reserved"
    return visit.status in HOLDING or (visit.status == "pending" and reserved)


def _answered(ledger: Ledger, visit: Visit, terms: Terms) -> Ledger:
    """Answers a held time's number, once; again only where the units it was promised have gone back since."""
    if visit.status != "pending" or visit.hold is None or _stands(ledger, visit, terms):
        return ledger
    if not terms.needed or (visit.needs == {} and terms.grants):
        return _told(ledger, visit, "not-needed")
    return _decided(ledger, visit, terms, RULES)


def _stands(ledger: Ledger, visit: Visit, terms: Terms) -> bool:
    last = ledger.answers.get(visit.reference)
    if last is None or last.hold != visit.hold:
        return False
    if _went_ahead(ledger, visit):
        return not terms.grants
    return last.answer != "reserved" or ledger.has(visit.dose, "planned")


def _told(ledger: Ledger, visit: Visit, answer: Answer, reason: str | None = None) -> Ledger:
    if visit.hold is None:
        return ledger
    told = HoldAnswer(visit.reference, visit.hold, answer, reason)
    return replace(ledger, answers={**ledger.answers, visit.reference: told})


def _reserved(ledger: Ledger, visit: Visit) -> Ledger:
    where = (visit.reference, visit.start, visit.hold, visit.on)
    charges = {
        (visit.dose, code): Charge(visit.dose, code, units, "planned", *where)
        for code, units in (visit.needs or {}).items()
    }
    return replace(ledger, charges={**ledger.charges, **charges})


def _placed(ledger: Ledger, visits: list[Visit]) -> Ledger:
    """Reserved units stand at the time that is booked, else at the latest one held."""
    holders: dict[Dose, Visit] = {}
    for visit in sorted(visits, key=lambda v: v.status in HOLDING):
        if _holds(ledger, visit):
            holders[visit.dose] = visit
    return replace(ledger, charges={k: _at(c, holders.get(c.dose)) for k, c in ledger.charges.items()})


def _at(charge: Charge, visit: Visit | None) -> Charge:
    if visit is None or charge.status != "planned":
        return charge
    return replace(charge, visit=visit.reference, start=visit.start, hold=visit.hold, on=visit.on)


# Why a held time is refused

UNDECIDED = "not-authorized"
"""Nothing is authorized for it: the one refusal that an allowance outweighs."""


def authorization(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The payer has approved every code the dose needs."""
    if visit.needs is None or any(terms.grant(code, visit.on) is None for code in visit.needs) or not terms.grants:
        return UNDECIDED
    return None


def authorized_period(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The date lies within an authorized period of every code, first and last day included."""
    found = [terms.grant(code, visit.on) for code in visit.needs or ()]
    inside = visit.on is not None and all(g is None or g.covers(visit.on) for g in found)
    return None if inside else "outside-period"


def units_left(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """Of every code, enough units of the period of the date are neither reserved for another dose nor given."""
    for code, units in (visit.needs or {}).items():
        grant = terms.grant(code, visit.on)
        if grant is None:
            continue
        taken = ledger.used(grant, terms, but=visit.dose) + ledger.promised(grant, terms, visit.dose)
        if taken + units > grant.units:
            return "no-units-left"
    return None


def dose_not_given(visit: Visit, ledger: Ledger, terms: Terms) -> str | None:
    """The dose was not administered already."""
    given = visit.dose in terms.given or ledger.has(visit.dose, "billable")
    return "dose-administered" if given else None


RULES: tuple[Rule, ...] = (
    authorization,
    authorized_period,
    dose_not_given,
    units_left,
)
"""In this order; the first refusal is the answer's reason."""

COUNTING = tuple(rule for rule in RULES if rule is not dose_not_given)
"""What holds also for a visit that took place before the payer decided."""
