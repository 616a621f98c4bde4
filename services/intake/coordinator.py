"""Decides what intake asserts after an event: folds it over what is known, and works every referral out anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.intake.answers import course, referral
from services.intake.demands import Demands, shortfalls
from services.intake.facts import Case, Facts
from services.intake.folding import came_late, folded, is_answer, placed_task, refusals
from services.intake.gap import Gap
from services.intake.orders import called_off, filler_orders
from services.intake.questions import OPEN, closed, questions_of, unreached
from services.intake.records import unversioned
from services.intake.rules import gaps
from shared.core import Decision, Event, Resource, reference
from shared.policy import Figures
from shared.settings import Site

NOTHING = "nothing-to-change"


@dataclass(frozen=True, slots=True)
class Policy:
    """Figures in force, the practice's configuration, and what our profiles of referrals demand."""

    figures: Figures
    site: Site
    demands: Demands


@dataclass(frozen=True, slots=True)
class Worked:
    """One referral worked out: what it needs, and every resource that follows."""

    gaps: tuple[Gap, ...]
    orders: tuple[Resource, ...]
    tasks: tuple[Resource, ...]


def coordinate(event: Event, facts: Facts, policy: Policy) -> Decision:
    """What follows from one event; see `docs/journey.md` for the reasons."""
    match event:
        case Event(kind="message" | "command") if codes := refusals(event, facts):
            return Decision("referral-refused", refusals=codes)
        case Event(kind="message" | "command"):
            return _settled(event, facts, policy)
        case Event(kind="answer", reason="placer-refused"):
            return _unreached(event, facts)
        case _:
            return Decision(NOTHING)


def _settled(event: Event, facts: Facts, policy: Policy) -> Decision:
    """Every referral of the patient, worked out from all that is now known."""
    now = Facts(facts.patient, folded(event, facts))
    worked = [_worked(case, event, policy) for case in _cases(event, facts, now, policy.site)]
    received = () if event.kind == "message" else tuple(now.resources.values())
    orders = _changed(facts, (o for w in worked for o in w.orders))
    tasks = _changed(facts, (t for w in worked for t in w.tasks))
    others = _changed(facts, (r for r in received if reference(r) not in {reference(t) for t in tasks}))
    saves = (*orders, *tasks, *others)
    codes = tuple(dict.fromkeys(g.code for w in worked for g in w.gaps))
    if not saves:
        return Decision(NOTHING, refusals=codes)
    return Decision(_reason(event, facts, orders, tasks, others), saves, refusals=codes)


def _cases(event: Event, before: Facts, now: Facts, site: Site) -> Iterator[Case]:
    """One case for each referral known, and for the one that just came."""
    placed = placed_task(event, before)
    known = {reference(t): t for t in before.tasks("referral")}
    for key in sorted(known.keys() | ({reference(placed)} if placed else set())):
        stored = unversioned(known[key]) if key in known else None
        mine = placed is not None and reference(placed) == key
        fresh = mine and placed is not None and (stored is None or not came_late(known[key], placed))
        base = placed if fresh else stored
        arrived = frozenset(map(reference, event.resources)) if mine else frozenset()
        if base is not None:
            yield Case(base, stored, fresh, arrived, now, site, event.at.date())


def _worked(case: Case, event: Event, policy: Policy) -> Worked:
    missing = _every(gaps(case, policy.figures), shortfalls(case, policy.demands))
    orders = filler_orders(case, missing, event.at)
    order = orders[0] if orders and orders[0]["id"] == case.order_id else None
    questions = questions_of(case, order, policy.site.auto_confirm, event.at)
    if called_off(case):
        questions = {code: closed(q) for code, q in questions.items()}
    task = referral(course(case, missing, order, questions), event.at)
    return Worked(missing, orders, (task, *questions.values()))


def _every(ruled: tuple[Gap, ...], formal: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """All gaps; what a rule names already, by its code or of the same element, is not said again."""
    codes, places = {gap.code for gap in ruled}, {gap.element for gap in ruled}
    return (*ruled, *(gap for gap in formal if gap.code not in codes and gap.element not in places))


def _changed(facts: Facts, resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Those that say anything else than what is stored, as they may be saved."""
    plain = {reference(r): unversioned(r) for r in resources}
    stored = facts.resources
    return tuple(r for key, r in plain.items() if key not in stored or unversioned(stored[key]) != r)


RECEIVED_REASONS: Mapping[str, str] = {"Observation": "observation-received", "MedicationDispense": "dispense-received"}


def _reason(
    event: Event, facts: Facts, orders: tuple[Resource, ...], tasks: tuple[Resource, ...], others: tuple[Resource, ...]
) -> str:
    """The most telling name of what changed: the order, then an answer, then the referral, then the record."""
    if orders:
        return _order_reason(facts, orders[0])
    if is_answer(event, facts):
        return "question-answered"
    if tasks:
        ended = any(t["status"] == "cancelled" for t in tasks)
        new = any(reference(t) not in facts.resources for t in tasks)
        return "referral-revoked" if ended else "referral-accepted" if new else "referral-reported"
    kinds = {r["resourceType"] for r in others}
    return RECEIVED_REASONS.get(next(iter(kinds)), "record-received") if len(kinds) == 1 else "record-received"


def _order_reason(facts: Facts, order: Resource) -> str:
    stored = facts.resources.get(reference(order), {}).get("status")
    match order["status"]:
        case "revoked":
            return "referral-revoked"
        case "draft" if stored is None:
            return "referral-accepted"
        case "active" if stored != "active":
            return "referral-completed"
    return "referral-changed"


def _unreached(event: Event, facts: Facts) -> Decision:
    """The placer's system refused our answer: a person is asked, once."""
    task = facts.resources.get(event.focus or "")
    if task is None:
        return Decision(NOTHING)
    asked = unreached(task, event.at)
    stored = facts.resources.get(reference(asked))
    if stored is not None and stored["status"] in OPEN:
        return Decision(NOTHING)
    return Decision("placer-unreached", (asked,), refusals=("placer-refused",))
