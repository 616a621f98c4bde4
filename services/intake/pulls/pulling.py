"""Decides what follows while a sender's system is read for a referral: kept on hold, tried again, then taken.

Law of this file: nothing is given up; what cannot be read is tried again for ever, a little later each time, and after
a bound a person is asked beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.intake.answers.referral import COMPUTED
from services.intake.codes import BSER, IDENTIFIER_TYPE, NPI, REFERRAL_ID, TASK_CODE, concept, typed
from services.intake.consequences import Policy
from services.intake.facts import Facts
from services.intake.folding import refusals
from services.intake.pulls.provisional import (
    asked_again,
    content_of,
    count_of,
    ended,
    failed_once_more,
    is_provisional,
    is_pull,
    pull_task,
)
from services.intake.questions import OPEN, closed, unread
from services.intake.records import literal, placer_client, unversioned
from shared.core import Decision, Event, Resource, derived_id, reference

CHANNEL = "pull"
NOTHING = "nothing-to-change"
WAKE = "pull/"
PATIENCE = 8
"""Attempts in a row that failed until a person is asked; trying goes on."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=15)
_HELD = "The order is being read from the placer's system"
_MERGED = "The same order is known as another referral"
_ORDERS = ("Task", "ServiceRequest")

Settle = Callable[[Event, Facts, Policy], Decision]


def is_about_pulling(event: Event, facts: Facts) -> bool:
    """Whether an event is about reading a sender's system: by its name, or by the Task it wants changed."""
    named = event.reason in ("pull-wanted", "pulled", "pull-failed", "events-read") or event.reason.startswith(WAKE)
    return named or any(is_pull(facts.resources.get(reference(t))) for t in event.of_type("Task") if "id" in t)


def pulling(event: Event, facts: Facts, policy: Policy, settled: Settle) -> Decision:
    """What follows from one such event; `settled` decides on what was read as on a push."""
    task = facts.resources.get(event.focus or f"Task/{event.reason.removeprefix(WAKE)}")
    if event.reason == "pull-wanted":
        return _wanted(event, facts, policy)
    if task is None or not is_pull(task):
        return Decision(NOTHING)
    match event:
        case Event(kind="command"):
            return _called_off(event, task)
        case Event(reason="pulled"):
            return _pulled(event, task, facts, policy, settled)
        case Event(reason="events-read"):
            return _events(event, task, facts)
        case Event(reason="pull-failed"):
            return _failed(event, task, facts, _why(event))
        case _ if task["status"] == "on-hold":
            again = asked_again(unversioned(task), failed=count_of(task, "failed"))
            return Decision("pull-tried", (again,), focus=reference(task))
    return Decision(NOTHING)


# Wanted


def _wanted(event: Event, facts: Facts, policy: Policy) -> Decision:
    """A referral that cannot be read from what was sent: kept on hold at once, its sender's system is asked."""
    fresh = next(r for r in event.resources if is_pull(r))
    stored = facts.resources.get(reference(fresh))
    task = _opened(fresh, stored, event.at)
    orders = [r for r in event.resources if r is not fresh]
    known = [s for r in orders if (s := facts.resources.get(reference(r))) is not None]
    if any(r.get("intent") == "filler-order" for r in (*orders, *known)):
        return Decision("referral-refused", refusals=("order-is-ours",))
    new = all(is_provisional(s, event.source) for s in known)
    held = [_held(r, facts, event, policy) if r["resourceType"] == "Task" else r for r in orders] if new else []
    saves = (*([task] if task else []), *(r for r in held if not _same(r, facts)))
    focus = next((reference(r) for r in saves if r["resourceType"] == "Task"), _first(saves))
    return Decision("pull-wanted", saves, focus=focus) if saves else Decision(NOTHING)


def _opened(fresh: Resource, stored: Resource | None, at: datetime) -> Resource | None:
    """The Task to read by: new, or again where it is asked for again or says something else; None: it is under way."""
    if stored is None:
        return {**fresh, "authoredOn": at.isoformat(timespec="seconds")}
    under_way = stored["status"] in ("in-progress", "on-hold") and content_of(stored) == content_of(fresh)
    return None if under_way else asked_again(unversioned(stored), fresh)


def _same(resource: Resource, facts: Facts) -> bool:
    stored = facts.resources.get(reference(resource))
    return stored is not None and _timeless(unversioned(stored)) == _timeless(resource)


def _timeless(resource: Resource) -> dict[str, Any]:
    return {k: v for k, v in resource.items() if k not in ("lastModified", "authoredOn")}


def _held(sent: Resource, facts: Facts, event: Event, policy: Policy) -> Resource:
    """The placer's Task as our answer while its order is being read."""
    stored = facts.resources.get(reference(sent), {})
    at = event.at.isoformat(timespec="seconds")
    filler = {"type": concept(IDENTIFIER_TYPE, "FILL"), "system": REFERRAL_ID, "value": sent["id"]}
    practice = {"identifier": {"system": NPI, "value": policy.site.npi}, "display": policy.site.organization}
    reason = stored.get("statusReason") or {"text": _HELD}
    return {
        **{k: v for k, v in sent.items() if k not in COMPUTED},
        "identifier": [*(i for i in sent.get("identifier", ()) if not typed(i, "FILL")), filler],
        "status": "on-hold",
        "statusReason": reason,
        "businessStatus": concept(BSER, "3.0"),
        "intent": "order",
        "code": concept(TASK_CODE, "referral"),
        "authoredOn": sent.get("authoredOn") or stored.get("authoredOn") or at,
        "owner": sent.get("owner") or practice,
        "lastModified": at,
    }


# Taken


def _pulled(event: Event, task: Resource, facts: Facts, policy: Policy, settled: Settle) -> Decision:
    """What was read is decided on as a push of the same client."""
    records = tuple(r for r in event.resources if r["resourceType"] != "Parameters")
    pushed = replace(event, kind="command", reason="referral-received", resources=records, focus=None)
    done = ended(unversioned(task), "completed", _addresses(event))
    if codes := refusals(pushed, facts):
        if "referral-cancelled" in codes:
            return Decision("pull-ended", (ended(unversioned(task), "cancelled"),), focus=reference(task))
        return _failed(event, task, facts, ", ".join(codes))
    stranger = f"Patient/{facts.patient}" not in facts.resources and not pushed.of_type(*_ORDERS)
    decision = Decision(NOTHING) if stranger else settled(pushed, facts, policy)
    mine = [] if count_of(task, "attempt") != _attempt(event, task) else [done, *_answered(task, facts)]
    mine += _merged(pushed, facts, decision)
    saves = (*decision.saves, *(r for r in mine if unversioned(facts.resources[reference(r)]) != r))
    reason = decision.reason if decision.saves else "pull-ended" if saves else NOTHING
    wakes = {**decision.wakes, WAKE + str(task["id"]): None}
    return replace(decision, reason=reason, saves=saves, wakes=wakes, focus=decision.focus or _first(saves))


def _merged(event: Event, facts: Facts, decision: Decision) -> list[Resource]:
    """The referral kept on hold meanwhile, where what was read belongs to one known under another identifier."""
    said = {reference(r) for r in decision.saves}
    held = (facts.resources.get(reference(t)) for t in event.of_type("Task") if reference(t) not in said)
    left = (unversioned(t) for t in held if t is not None and is_provisional(t, event.source))
    ends = {"status": "cancelled", "businessStatus": concept(BSER, "6.0"), "statusReason": {"text": _MERGED}}
    return [{**t, **ends, "for": {"reference": f"Patient/{facts.patient}"}} for t in left]


def _first(saves: tuple[Resource, ...]) -> str | None:
    return reference(saves[0]) if saves else None


def _attempt(event: Event, task: Resource) -> int:
    """Which attempt an answer is of: the one whose delivery it settles; an older one may come late."""
    latest = count_of(task, "attempt")
    own = (n for n in range(latest, max(0, latest - 20), -1) if event.id == _delivery(task, n))
    return next(own, latest if not event.id else 0)


def _delivery(task: Resource, attempt: int) -> str:
    return derived_id("in", "delivery", CHANNEL, str(task["id"]), str(attempt))


def _answered(task: Resource, facts: Facts) -> list[Resource]:
    """The question about a system that could not be read, once it could."""
    stored = facts.resources.get(f"Task/{derived_id('in', 'intake-question', str(task['id']), 'system-unread')}")
    return [closed(unversioned(stored))] if stored is not None else []


def _events(event: Event, task: Resource, facts: Facts) -> Decision:
    """Missed notifications told by the sender's system: each thing they are about is read by itself."""
    client, at = placer_client(task) or "", event.at.isoformat(timespec="seconds")
    fresh = [pull_task(client, address, [address]) for address in _addresses(event)]
    opened = [{**t, "authoredOn": at} for t in fresh if reference(t) not in facts.resources]
    known = [facts.resources[reference(t)] for t in fresh if reference(t) in facts.resources]
    again = [asked_again(unversioned(t)) for t in known if t["status"] not in ("in-progress", "on-hold")]
    saves = (ended(unversioned(task), "completed"), *opened, *again, *_answered(task, facts))
    return Decision("pull-wanted", saves, {WAKE + str(task["id"]): None}, focus=reference(task))


def _addresses(event: Event) -> tuple[str, ...]:
    found = (p for r in event.of_type("Parameters") for p in r.get("parameter", ()))
    return tuple(str(p["valueUri"]) for p in found)


# Failed


def _failed(event: Event, task: Resource, facts: Facts, why: str) -> Decision:
    """The system could not be read: the referral says why, it is tried again, and after a bound a person is asked."""
    if task["status"] not in ("in-progress", "on-hold"):
        return Decision(NOTHING)
    after = failed_once_more(unversioned(task), why)
    failures = count_of(after, "failed")
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 20))
    saves = (after, *_told(task, facts, why, event.at), *_asked(after, facts, event, failures))
    return Decision("pull-failed", saves, {WAKE + str(task["id"]): event.at + wait}, (why,), focus=reference(task))


def _told(task: Resource, facts: Facts, why: str, at: datetime) -> list[Resource]:
    """The referral on hold with the reason."""
    held = facts.resources.get(literal(task.get("focus")) or "")
    if held is None or held["status"] != "on-hold" or not held["statusReason"]["text"].startswith(_HELD):
        return []
    reason = {"text": f"{_HELD}, which failed: {why}. It is tried again."}
    said = {"statusReason": reason, "lastModified": at.isoformat(timespec="seconds")}
    return [{**unversioned(held), **said}] if held["statusReason"] != reason else []


def _asked(task: Resource, facts: Facts, event: Event, failures: int) -> list[Resource]:
    held = facts.resources.get(literal(task.get("focus")) or "") or task
    asked = unread(task, held, f"Patient/{facts.patient}", event.at)
    stored = facts.resources.get(reference(asked))
    return [asked] if failures >= PATIENCE and (stored is None or stored["status"] not in OPEN) else []


def _why(event: Event) -> str:
    issues = (i for r in event.of_type("OperationOutcome") for i in r["issue"])
    return next((str(i["diagnostics"]) for i in issues), "no answer")


def _called_off(event: Event, task: Resource) -> Decision:
    """A person ends the reading; nothing else of such a Task is anybody's to say."""
    said = next((t for t in event.of_type("Task") if reference(t) == reference(task)), {})
    if said.get("status") != "cancelled":
        return Decision("referral-refused", refusals=("pull-is-ours",))
    wakes: Mapping[str, datetime | None] = {WAKE + str(task["id"]): None}
    return Decision("pull-ended", (ended(unversioned(task), "cancelled"),), wakes, focus=reference(task))
