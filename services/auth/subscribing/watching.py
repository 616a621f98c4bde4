"""Decides what becomes of our Subscription at a payer: made, renewed before its end, asked anew when it goes quiet.

Source: Subscriptions R5 Backport 1.1.0 (handshake, event numbers, heartbeat, errors); PAS 2.2.1 spec-57 to -62.
Law of this file: all of it is decided in the payer's own lane, which holds no patient. What did not come is told to the
patients' lanes, where a person is asked: nobody polls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.auth.case import Case
from services.auth.decision.clocks import DUE, is_pended
from services.auth.facts import Facts
from services.auth.policy import AuthPolicy
from services.auth.questions import Question
from services.auth.words import AT_PAYER, EVENT_NUMBER, PREFIX, extension, instant, part, target, unversioned
from shared.core import ROUSED, Decision, Event, Resource, derived_id, reference

LANE = "payer/"
"""Lane of what concerns a payer and no patient: `payer/<id>`."""
RENEW, QUIET, GAP = "renew-subscription", "quiet-subscription", "missed-events"
TAKEN, REFUSED, NOTIFIED = "subscription-taken", "subscription-refused", "subscription-notified"
ASKED, WATCHED = "subscription-asked", "subscription-watched"

STANDS, AHEAD = timedelta(days=90), timedelta(days=14)
"""How long one is asked for, and how long before its end it is renewed."""
HEARTBEAT = timedelta(days=1)
SILENCE = 2 * HEARTBEAT
"""After so long without a word it is asked for again: whoever is there shakes hands."""
AGAIN = timedelta(hours=6)
"""After so long a Subscription that was refused is asked for once more."""
PATIENCE = timedelta(minutes=2)
"""How long events may come out of their order before persons are asked."""
MOST_MISSED = 50
"""Numbers that are kept of a gap; of a longer one the last."""

TOPIC = "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
OVER = ("error", "off", "entered-in-error")
NOTHING = Decision("nothing-to-do")

GIVEN_UP = "The payer said that it is off or in error"
MISSED = (
    "The payer told of events that never came, and this request may be among them: answer `inquire` and the payer is "
    "asked where it stands, or ask it another way and answer `inquired`."
)


def lanes_of(case: Case) -> frozenset[str]:
    """The lanes that look after the Subscriptions at who is asked, where we are to have any: insurer and reviewer."""
    return frozenset(LANE + p.id for p in (case.payer, case.reviewer) if p and p.subscribes)


def subscription_id(payer: str) -> str:
    """The id of our Subscription at a payer."""
    return derived_id(PREFIX, "Subscription", payer)


def watched(event: Event, facts: Facts, policy: AuthPolicy) -> Decision:
    """What follows for one payer's Subscription."""
    payer_id = event.lane.removeprefix(LANE)
    payer = next((p for p in policy.site.payers if p.id == payer_id and p.subscribes), None)
    stored = facts.at("Subscription/" + subscription_id(payer_id))
    if payer is None:
        return NOTHING
    if stored is None:
        return _asked(_first(payer_id, policy.site.address), event.at) if event.reason == ROUSED else NOTHING
    match event.kind, event.reason:
        case "wake", reason if reason in (RENEW, QUIET):
            return _asked(stored, event.at)
        case "wake", reason if reason == GAP:
            return _given_up(stored, facts, event.at)
        case "answer", reason if reason == TAKEN:
            return _taken(stored, event)
        case "answer", reason if reason == REFUSED:
            return _refused(stored, event)
        case "answer", reason if reason == NOTIFIED:
            return _notified(stored, event)
    return NOTHING


# Asked for


def _first(payer_id: str, address: str) -> dict[str, Any]:
    """The Subscription as it is first made; the secret its notifications say is never stored."""
    beat = {"url": BACKPORT + "heartbeat-period", "valueUnsignedInt": int(HEARTBEAT.total_seconds())}
    content = {"url": BACKPORT + "payload-content", "valueCode": "full-resource"}
    return {
        "resourceType": "Subscription",
        "id": subscription_id(payer_id),
        "extension": [{"url": EVENT_NUMBER, "valueUnsignedInt": 0}],
        "status": "requested",
        "reason": "Decisions on our requests for prior authorization",
        "criteria": TOPIC,
        "channel": {
            "extension": [beat],
            "type": "rest-hook",
            "endpoint": f"{address}/notifications/pas/{payer_id}",
            "payload": "application/fhir+json",
            "_payload": {"extension": [content]},
        },
    }


def _asked(stored: Resource, at: datetime) -> Decision:
    """Asked for until an end that tells this time of asking from every other."""
    end = at + STANDS
    kept = {k: v for k, v in unversioned(stored).items() if k != "error"}
    saved = {**kept, "status": "requested", "end": end.isoformat()}
    return _saved(ASKED, saved, {RENEW: end - AHEAD, QUIET: None})


def _taken(stored: Resource, event: Event) -> Decision:
    """The payer has it: where, until when, and whether it is active before any handshake came."""
    said = next(iter(event.of_type("Subscription")), {})
    if said.get("status") in OVER:
        return _refused(stored, event)
    address = part(said, AT_PAYER, "address")
    renewed = part(stored, AT_PAYER, "address") not in (None, address)
    number = 0 if renewed else last_number(stored)
    end = min(_end(said), _end(stored))
    status = "active" if said.get("status") == "active" else stored["status"]
    saved = {**_numbered(stored, number, {} if renewed else None, address), "status": status, "end": end.isoformat()}
    wakes = {RENEW: max(max(end, event.at) - AHEAD, event.at + AGAIN), QUIET: event.at + SILENCE}
    return _saved(WATCHED, saved, wakes)


def _refused(stored: Resource, event: Event) -> Decision:
    texts = [i.get("diagnostics") for o in event.of_type("OperationOutcome") for i in o.get("issue", ())]
    why = next((t for t in texts if isinstance(t, str) and t), "")[:200]
    return _waiting(stored, f"The payer did not take it{': ' + why if why else ''}", event.at)


def _waiting(stored: Resource, error: str, at: datetime) -> Decision:
    return _saved(WATCHED, {**unversioned(stored), "status": "error", "error": error}, {RENEW: at + AGAIN})


# Told


def _notified(stored: Resource, event: Event) -> Decision:
    """A handshake, a heartbeat or an event of it: what its numbers say, and that it is alive."""
    said = next(iter(event.of_type("Parameters")), {})
    address = part(stored, AT_PAYER, "address")
    about = _value(said, "subscription")
    named = target(about) if isinstance(about, Mapping) else None
    if address is not None and named is not None and named.rpartition("/")[2] != address.rpartition("/")[2]:
        return NOTHING
    if _value(said, "status") in OVER:
        return _over(stored, event.at)
    before, numbers, count = last_number(stored), _numbers(said), _counted(said)
    begins = _value(said, "type") == "handshake" and (before == 0 or count < before)
    fresh = count if begins else max([before, count, *numbers])
    gap = () if begins else range(max(before + 1, fresh - MOST_MISSED), fresh + 1)
    missed = {*(() if begins else missing(stored)), *gap} - numbers
    saved = {**_numbered(stored, fresh, dict.fromkeys(sorted(missed))), "status": "active"}
    wakes = {QUIET: event.at + SILENCE, **({GAP: event.at + PATIENCE} if missed - set(missing(stored)) else {})}
    return _saved(WATCHED, saved, wakes)


def _over(stored: Resource, at: datetime) -> Decision:
    """Asked for again at once, and after a while where that was for an error already: `error` tells until a renewal."""
    if stored["status"] == "error":
        return NOTHING
    if "error" in stored:
        return _waiting(stored, GIVEN_UP, at)
    asked = _asked(stored, at)
    (saved,) = asked.saves
    return replace(asked, saves=({**saved, "error": GIVEN_UP},))


def _given_up(stored: Resource, facts: Facts, at: datetime) -> Decision:
    """What has not come in time will not come: whoever waits for a decision looks at once."""
    if not missing(stored):
        return NOTHING
    lanes = frozenset(f"patient/{(target(t['for']) or '').rpartition('/')[2]}" for t in facts.of("Task"))
    saved = _with(stored, asked={"valueInstant": at.isoformat()})
    return Decision(WATCHED, (saved,), focus=reference(stored), rouses=lanes)


def missed(case: Case, facts: Facts) -> Iterable[Question]:
    """The question about a pended request whose decision may be among the events that never came."""
    claim = case.claim
    if claim is None or case.reviewer is None or not is_pended(case):
        return
    told = facts.at("Subscription/" + subscription_id(case.reviewer.id)) or {}
    since = part(told, AT_PAYER, "asked")
    if since is None or not missing(told) or datetime.fromisoformat(claim["created"]) > datetime.fromisoformat(since):
        return
    numbers = part(told, AT_PAYER, "missed")
    yield Question(DUE, reference(claim), MISSED, key=f"{reference(claim)}|{told['id']}|{numbers}")


# Parts of it


def last_number(subscription: Resource) -> int:
    """The number of the latest event it told of."""
    return int((extension(subscription, EVENT_NUMBER) or {}).get("valueUnsignedInt", 0))


def missing(subscription: Resource) -> tuple[int, ...]:
    """Numbers of events that have not come."""
    said: str = part(subscription, AT_PAYER, "missed") or ""
    return tuple(int(n) for n in said.split(",") if n)


def _numbered(
    stored: Resource, number: int, missed: Mapping[int, None] | None, address: str | None = None
) -> dict[str, Any]:
    """With the number of the latest event and those that are missing; where nothing is said they stay."""
    others = [e for e in stored.get("extension", ()) if e["url"] != EVENT_NUMBER]
    counted = {**unversioned(stored), "extension": [{"url": EVENT_NUMBER, "valueUnsignedInt": number}, *others]}
    told: dict[str, Any] = {} if address is None else {"address": {"valueUrl": address}}
    if missed is not None:
        told["missed"] = {"valueString": ",".join(map(str, missed))} if missed else None
    return _with(counted, **told)


def _with(subscription: Resource, **told: Mapping[str, Any] | None) -> dict[str, Any]:
    """With these parts of what is at the payer; None takes one out."""
    before = (extension(subscription, AT_PAYER) or {}).get("extension", ())
    parts = {e["url"]: e for e in before} | {k: {"url": k, **v} if v else None for k, v in told.items()}
    kept = [v for _, v in sorted(parts.items()) if v is not None]
    others = [e for e in subscription.get("extension", ()) if e["url"] != AT_PAYER]
    added = [{"url": AT_PAYER, "extension": kept}] if kept else []
    return {**unversioned(subscription), "extension": [*others, *added]}


def _numbers(status: Resource) -> set[int]:
    """Numbers of the events a notification tells of."""
    events = (p.get("part", ()) for p in status.get("parameter", ()) if p.get("name") == "notification-event")
    return {n for e in events for p in e if p.get("name") == "event-number" and (n := _count(p)) is not None}


def _counted(status: Resource) -> int:
    """How many events it says there were since the Subscription began."""
    said = (p for p in status.get("parameter", ()) if p.get("name") == "events-since-subscription-start")
    return next((n for p in said if (n := _count(p)) is not None), 0)


def _count(parameter: Mapping[str, Any]) -> int | None:
    said = next((v for k, v in parameter.items() if k.startswith("value")), None)
    text = str(said) if isinstance(said, str | int) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _value(status: Resource, name: str) -> Any:
    found = (p for p in status.get("parameter", ()) if p.get("name") == name)
    return next((v for p in found for k, v in p.items() if k.startswith("value")), None)


def _end(subscription: Resource) -> datetime:
    """Its end, or the last instant where the payer names none."""
    return instant(subscription.get("end") or "9999-01-01T00:00:00+00:00", UTC)


def _saved(reason: str, saved: Resource, wakes: Mapping[str, datetime | None]) -> Decision:
    return Decision(reason, (saved,), wakes, focus=reference(saved))
