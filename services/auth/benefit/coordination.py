"""Says which of several Coverages pays first: by documented rules, else as the referrer told, else a person says.

Source of the rules: coordination of benefits as practised (NAIC model regulation 120, Medicare Secondary Payer,
Medicaid as payer of last resort; general knowledge), figures in `policies/coordination.yaml`.
Law of this file: a rule speaks only by what a Coverage or the chart documents; a silent one leaves it to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.auth.words import code_of, day, target
from shared.core import Resource
from shared.dates import months_later

COVERAGE_TYPE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
RELATIONSHIP = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
COVERAGE_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
INJURY = {"WCBPOL": "workers' compensation", "AUTOPOL": "automobile insurance"}
MEDICARE = ("medicare", "medicare-advantage")
RETIRED = "RETIRE"

LISTED, GROUP_FIRST, MEDICARE_FIRST = "as-listed", "group-first", "medicare-first"


@dataclass(frozen=True, slots=True)
class Plan:
    """One Coverage with what decides its place.

    line           line of business of its payer; empty where the payer is unknown.
    born           birth date of its subscriber, where it is another person and known.
    """

    coverage: Resource
    line: str
    born: date | None = None

    @property
    def kind(self) -> str:
        return code_of(self.coverage.get("type"), COVERAGE_TYPE) or ""

    @property
    def relationship(self) -> str | None:
        """The beneficiary to the subscriber: self, child, spouse, ...; self where both are the same person."""
        subscriber = target(self.coverage.get("subscriber"))
        if subscriber is not None and subscriber == target(self.coverage.get("beneficiary")):
            return "self"
        return code_of(self.coverage.get("relationship"), RELATIONSHIP)

    @property
    def group(self) -> bool:
        """Whether an employer's group stands behind it."""
        return any(code_of(c.get("type"), COVERAGE_CLASS) == "group" for c in self.coverage.get("class", ()))

    @property
    def continued(self) -> bool:
        """Whether it goes on after employment: a retiree's, or COBRA by its name."""
        names = [str(c.get("name", "")) for c in self.coverage.get("class", ())]
        names.append(str((self.coverage.get("type") or {}).get("text", "")))
        return self.kind == RETIRED or any("cobra" in n.lower() for n in names)

    @property
    def begins(self) -> date | None:
        return day((self.coverage.get("period") or {}).get("start"))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Whom the Coverages are for, on the first date of service, and the figures that decide.

    renal      whether end-stage renal disease is charted.
    answers    what a person answered to the question about these Coverages.
    """

    on: date
    born: date | None
    renal: bool
    answers: frozenset[str]
    figures: Mapping[str, int]

    @property
    def aged(self) -> bool | None:
        """Whether the patient has reached the age of Medicare."""
        age, born = self.figures.get("medicare_age_years"), self.born
        if age is None or born is None:
            return None
        return (self.on.year - age, self.on.month, self.on.day) >= (born.year, born.month, born.day)


@dataclass(frozen=True, slots=True)
class Precedence:
    """The Coverages in the order in which they pay, why the first is first, and what only a person can say."""

    plans: tuple[Plan, ...]
    why: str = ""
    unknown: str = ""


Said = tuple[bool, str] | None
"""Whether the first of a pair pays before the second, and why; None where this rule does not speak."""
Rule = Callable[[Plan, Plan, Circumstances], Said]


def precedence(plans: Sequence[Plan], circumstances: Circumstances) -> Precedence:
    """The order of these Coverages; as they were listed where a pair is undocumented, with what is to be asked."""
    if len(plans) < 2:
        return Precedence(tuple(plans))
    for first in plans:
        said = [_said(first, other, circumstances) for other in plans if other is not first]
        if all(s is not None and s[0] for s in said):
            why = "; ".join(dict.fromkeys(s[1] for s in said if s))
            return Precedence((first, *(p for p in plans if p is not first)), why)
    if LISTED in circumstances.answers:
        return Precedence(tuple(plans), "as listed in the referral, as a person verified")
    return Precedence(tuple(plans), unknown=_unknown(plans, circumstances))


def _said(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    for rule in RULES:
        if (said := rule(one, other, circumstances)) is not None:
            return said
        if (said := rule(other, one, circumstances)) is not None:
            return not said[0], said[1]
    return None


# Each rule says whether `one` pays first; it is asked both ways round


def injury(one: Plan, other: Plan, _: Circumstances) -> Said:
    """Workers' compensation and automobile insurance pay before health insurance."""
    if one.kind in INJURY and other.kind not in INJURY:
        return True, f"{INJURY[one.kind]} pays first"
    return None


def last_resort(one: Plan, other: Plan, _: Circumstances) -> Said:
    """Medicaid pays last."""
    if one.line == "medicaid" and other.line not in ("medicaid", ""):
        return False, "Medicaid pays last"
    return None


def renal_period(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    """With end-stage renal disease, before the age of Medicare, a group plan pays first for 30 months of Medicare."""
    months = circumstances.figures.get("renal_months")
    if one.line not in MEDICARE or not other.group or not circumstances.renal or circumstances.aged is not False:
        return None
    if months is None or one.begins is None:
        return None
    group_first = circumstances.on < months_later(one.begins, months)
    return not group_first, f"end-stage renal disease: the group plan pays first for {months} months of Medicare"


def retired(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    """Medicare pays before a plan that no longer rests on active employment."""
    if one.line in MEDICARE and other.line == "commercial" and other.continued and not circumstances.renal:
        return True, "Medicare pays before a retiree's or continued plan"
    return None


def employer_size(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    """A large employer's group plan pays before Medicare: the size is what a person answered."""
    if one.line not in MEDICARE or other.line != "commercial" or other.continued:
        return None
    if GROUP_FIRST in circumstances.answers:
        return False, "a large employer's group plan pays before Medicare, as a person verified"
    if MEDICARE_FIRST in circumstances.answers:
        return True, "Medicare pays before a small employer's or an individual plan, as a person verified"
    return None


def subscriber(one: Plan, other: Plan, _: Circumstances) -> Said:
    """The plan of which the patient is the subscriber pays before one of which he is a dependent."""
    if one.line in MEDICARE or other.line in MEDICARE:
        return None
    if one.relationship == "self" and other.relationship not in ("self", None, "other"):
        return True, "the patient's own plan pays before one he depends on"
    return None


def birthday(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    """Of two parents' plans the one of the parent whose birthday falls earlier in the year; as told overrides it."""
    if not one.relationship == other.relationship == "child" or _told(one, other) is not None:
        return None
    if one.born is None or other.born is None or LISTED in circumstances.answers:
        return None
    days = [(p.born.month, p.born.day) for p in (one, other) if p.born]
    if days[0] != days[1]:
        return days[0] < days[1], "birthday rule: the parent whose birthday is earlier in the year"
    return _longer(one, other, "birthday rule: both parents on one day, the plan in force longer")


def active(one: Plan, other: Plan, _: Circumstances) -> Said:
    """A plan of active employment pays before a retiree's or continued one."""
    if one.line == other.line == "commercial" and not one.continued and other.continued:
        return True, "active employment pays before a retiree's or continued plan"
    return None


def told(one: Plan, other: Plan, circumstances: Circumstances) -> Said:
    """As the referrer numbered them (Coverage.order), or listed them where a person confirmed the list."""
    placed = _told(one, other)
    if placed is not None:
        return placed, "as the referrer told (Coverage.order)"
    return None


def _told(one: Plan, other: Plan) -> bool | None:
    first, second = one.coverage.get("order"), other.coverage.get("order")
    return None if first is None or second is None or first == second else first < second


def _longer(one: Plan, other: Plan, why: str) -> Said:
    if one.begins is None or other.begins is None or one.begins == other.begins:
        return None
    return one.begins < other.begins, why


RULES: tuple[Rule, ...] = (
    injury,
    last_resort,
    renal_period,
    retired,
    employer_size,
    subscriber,
    birthday,
    active,
    told,
)
"""In this order; of a pair the first that speaks decides. A court's order comes as Coverage.order of both parents."""


# What is asked


def _unknown(plans: Sequence[Plan], circumstances: Circumstances) -> str:
    mixed = any(p.line in MEDICARE for p in plans) and any(p.line == "commercial" for p in plans)
    if mixed and (least := _employees(circumstances)) is not None:
        return (
            f"Medicare and another plan, and nothing documents which pays first: answer `{GROUP_FIRST}` for the group "
            f"plan of active employment of an employer of {least} or more, else `{MEDICARE_FIRST}`."
        )
    return (
        f"Nothing documents which of the patient's {len(plans)} Coverages pays first: have Coverage.order corrected, "
        f"or answer `{LISTED}` where their order in the referral holds."
    )


def _employees(circumstances: Circumstances) -> int | None:
    """Employees from which a group plan pays before Medicare: of the aged, or of the disabled."""
    if circumstances.aged is None:
        return None
    return circumstances.figures.get("aged_employees" if circumstances.aged else "disabled_employees")
