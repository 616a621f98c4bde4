"""Decides how a placer is told of a change of his referral: by the best way his system takes, else by the next.

Law of this file: one Communication a referral, and a version of it for each step; a way is tried once for each change
told of, what came late about an earlier step changes nothing, and where no way is left a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.intake.answers.referral import practice
from services.intake.codes import ANSWER_ID, ANSWER_WAY, BSER, CLIENT_ID, code_of, concept
from services.intake.questions import OPEN, closed, unreached
from services.intake.records import literal, placer_client, unversioned
from shared.answering import Way
from shared.core import Decision, Event, Resource, derived_id, reference

if TYPE_CHECKING:
    from services.intake.consequences import Policy, Worked
    from services.intake.facts import Facts
    from shared.settings import Referrer, Site

TOLD = ("status", "businessStatus", "statusReason", "output")
"""What a placer is told when it changes."""

OVERDUE = "answer-overdue/"
"""Begins the names of the timers that end the wait for a way out of reach."""

NOTHING = "nothing-to-change"
NEXT_WAY_AFTER, GIVEN_UP_AFTER = "answer_next_way_after_minutes", "answer_given_up_after_hours"


def answers(worked: Worked) -> Iterable[Resource]:
    """The answer to the placer as it now stands: begun anew with each change he is told of."""
    task, site = worked.referral, worked.policy.site
    ways = ways_of(task, site)
    if not ways or not _is_news(worked):
        return ()
    before = worked.case.facts.resources.get(f"Communication/{answer_id(task)}")
    return (_begun(task, ways[0], ordinal(before) + 1, site, worked.at),)


def deadlines(worked: Worked) -> Mapping[str, datetime | None]:
    """Until when the first way is waited for, from each change on."""
    ways = ways_of(worked.referral, worked.policy.site)
    if not ways or not _is_news(worked):
        return {}
    return {_timer(answer_id(worked.referral)): _until(worked.referral, ways[0].by, worked.policy, worked.at)}


def told(event: Event, facts: Facts, policy: Policy) -> Decision:
    """What one way's answer means for the answer to the placer."""
    sent, stored = event.of_type("Communication"), facts.resources.get(event.focus or "")
    task = _about(stored, facts)
    if stored is None or task is None or not sent or _step(sent[0]) != _step(stored):
        return Decision(NOTHING)
    if stored["status"] != "in-progress":
        return Decision(NOTHING)
    match event.reason:
        case "answer-told":
            return _told(stored, task, facts, event.at)
        case "answer-refused":
            return _left(stored, task, facts, policy, event.at, f"refused ({_detail(event)})")
    return Decision(NOTHING)


def overdue(event: Event, facts: Facts, policy: Policy) -> Decision:
    """Leaves a way that stayed out of reach for too long."""
    stored = facts.resources.get(f"Communication/{event.reason.removeprefix(OVERDUE)}")
    task = _about(stored, facts)
    if stored is None or task is None or stored["status"] != "in-progress":
        return Decision(NOTHING)
    due = _until(task, way_of(stored), policy, _since(stored))
    if due is None or event.at < due:
        return Decision(NOTHING, wakes={event.reason: due})
    return _left(stored, task, facts, policy, event.at, "not reached")


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An answer on its way: the referral as it stands, and the Communication that tells of it."""

    task: Resource
    communication: Resource


# What an answer says of itself


def opened(communication: Resource | None, way: str) -> int | None:
    """Which change of the referral an answer tells of, where it is on this way now."""
    if communication is None or communication["resourceType"] != "Communication":
        return None
    is_open = communication["status"] == "in-progress" and way_of(communication) == way
    return ordinal(communication) if is_open else None


def answer_id(task: Resource) -> str:
    """The id of the answer to one referral."""
    return derived_id("in", "answer", str(task["id"]))


def ways_of(task: Resource, site: Site) -> tuple[Way, ...]:
    """The ways by which the client who placed this referral can be told, the best first."""
    referrer = referrer_of(task, site)
    return referrer.answers if referrer else ()


def referrer_of(task: Resource, site: Site) -> Referrer | None:
    """The client who placed this referral, as the site's configuration knows it."""
    return site.referrers.get(placer_client(task) or "")


def way_of(communication: Resource) -> str:
    """The way an answer is on, or came by."""
    return next((code for m in communication.get("medium", ()) if (code := code_of(m, ANSWER_WAY))), "")


def ordinal(communication: Resource | None) -> int:
    """Which change of the referral it tells of, from 1."""
    listed = (communication or {}).get("identifier", ())
    values = (i["value"] for i in listed if i.get("system") == ANSWER_ID)
    return next((int(v.rpartition("/")[2]) for v in values), 0)


def _step(communication: Resource) -> tuple[str, str, int]:
    return communication["status"], way_of(communication), ordinal(communication)


def _about(communication: Resource | None, facts: Facts) -> Resource | None:
    return facts.at(communication["about"][0]) if communication else None


def _is_news(worked: Worked) -> bool:
    before = worked.case.stored
    return before is None or any(before.get(k) != worked.referral.get(k) for k in TOLD)


# Its steps


def _begun(task: Resource, way: Way, number: int, site: Site, at: datetime) -> Resource:
    referrer = referrer_of(task, site)
    name = {"display": referrer.name} if referrer else {}
    business = code_of(task.get("businessStatus"), BSER)
    return {
        "resourceType": "Communication",
        "id": answer_id(task),
        "identifier": [{"system": ANSWER_ID, "value": f"{task['id']}/{number}"}],
        "status": "in-progress",
        "medium": [concept(ANSWER_WAY, way.by)],
        "subject": task["for"],
        "about": [{"reference": reference(task)}],
        "recipient": [{"identifier": {"system": CLIENT_ID, "value": placer_client(task)}, **name}],
        "sender": practice(site),
        "payload": [
            {"contentString": f"Where the referral stands: {task['status']}, {business}"},
            {"contentReference": {"reference": reference(task)}},
        ],
        "note": [_note(at, f"By {way.by}")],
    }


def _told(stored: Resource, task: Resource, facts: Facts, at: datetime) -> Decision:
    way, instant = way_of(stored), at.isoformat(timespec="seconds")
    notes = [*stored["note"], _note(at, f"{way}: told")]
    ended = {**unversioned(stored), "status": "completed", "sent": instant, "note": notes}
    asked = facts.resources.get(reference(unreached(task, at)))
    answered = (unversioned(closed(asked)),) if asked is not None and asked["status"] in OPEN else ()
    return Decision("answer-told", (ended, *answered), {_timer(stored["id"]): None})


def _left(stored: Resource, task: Resource, facts: Facts, policy: Policy, at: datetime, why: str) -> Decision:
    """The next way, or a person where none is left; the next change begins with the best way again."""
    way = way_of(stored)
    notes, timer = [*stored["note"], _note(at, f"{way}: {why}")], _timer(stored["id"])
    following = _next(ways_of(task, policy.site), way)
    if following is not None:
        moved = {**unversioned(stored), "medium": [concept(ANSWER_WAY, following.by)]}
        moved["note"] = [*notes, _note(at, f"By {following.by}")]
        return Decision("answer-diverted", (moved,), {timer: _until(task, following.by, policy, at)})
    failed = {**unversioned(stored), "status": "not-done", "note": notes}
    failed["statusReason"] = {"text": "Every way to the referrer's system failed; a coordinator is asked"}
    return Decision("placer-unreached", (*_asked(task, facts, at), failed), {timer: None}, ("placer-refused",))


def _asked(task: Resource, facts: Facts, at: datetime) -> tuple[Resource, ...]:
    """The question to a person, unless it is open already."""
    asked = unreached(task, at)
    stored = facts.resources.get(reference(asked))
    return () if stored is not None and stored["status"] in OPEN else (asked,)


def _next(ways: tuple[Way, ...], way: str) -> Way | None:
    """The way after one; the first where the configuration does not name that one any more."""
    names = [w.by for w in ways]
    place = names.index(way) + 1 if way in names else 0
    return ways[place] if place < len(ways) else None


def _note(at: datetime, text: str) -> dict[str, Any]:
    return {"time": at.isoformat(timespec="seconds"), "text": text}


def _since(communication: Resource) -> datetime:
    """When its present way was begun."""
    return datetime.fromisoformat(communication["note"][-1]["time"])


def _detail(event: Event) -> str:
    outcomes = event.of_type("OperationOutcome")
    return str(outcomes[0]["issue"][0]["diagnostics"]) if outcomes else "no reason given"


# How long one way is waited for


def _timer(communication_id: str) -> str:
    return OVERDUE + communication_id


def _until(task: Resource, way: str, policy: Policy, since: datetime) -> datetime | None:
    """None where no figure is adopted: then a way out of reach is waited for as long as deliveries are tried."""
    referrer, ways = referrer_of(task, policy.site), ways_of(task, policy.site)
    last = _next(ways, way) is None
    if referrer is not None and referrer.patience is not None:
        return since + referrer.patience
    figures = policy.figures.all(GIVEN_UP_AFTER if last else NEXT_WAY_AFTER, since.date())
    unit = timedelta(hours=1) if last else timedelta(minutes=1)
    return since + unit * int(figures[0].value) if figures else None


def client_of(communication: Resource) -> str:
    """The client an answer is for."""
    return str(communication["recipient"][0]["identifier"]["value"])


def task_id_of(communication: Resource) -> str:
    """The id of the referral an answer tells of."""
    return (literal(communication["about"][0]) or "").removeprefix("Task/")


def patient_of(communication: Resource) -> str:
    """The id of the patient an answer is about."""
    return (literal(communication["subject"]) or "").removeprefix("Patient/")
