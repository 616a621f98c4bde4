"""Gives each notification to a placer its event number: one sequence a placer, whichever patient it is about.

Law of this file: a number is given once, with the decision that begins the notification; where two decisions would
give the same, the version check of the Subscription makes the later one decide again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.intake.answers.telling import client_of, way_of
from services.intake.codes import ANSWER_EVENT_ID, EVENT_NUMBER
from services.intake.facts import Facts
from services.intake.records import unversioned
from shared.core import CANONICAL, Decision, Resource, derived_id
from shared.settings import Partner, Site

TOPIC = CANONICAL + "SubscriptionTopic/referral-task"


def numbered(decision: Decision, facts: Facts, site: Site) -> Decision:
    """The decision with a number on each notification it begins, and the sequences that gave them."""
    sequences: dict[str, Resource] = {}
    saves = [_numbered(save, facts, site, sequences) for save in decision.saves]
    for client in sorted({client_of(s) for s in saves if _is_taken(s)}):
        asked = sequences.get(client) or facts.resources.get(f"Subscription/{subscription_id(client)}")
        if asked is not None and asked["status"] == "requested":
            sequences[client] = {**unversioned(asked), "status": "active"}
    return replace(decision, saves=(*saves, *sequences.values())) if sequences else decision


def _numbered(save: Resource, facts: Facts, site: Site, sequences: dict[str, Resource]) -> Resource:
    partner = _notified(save, site)
    if partner is None or event_number(save) is not None:
        return save
    client = client_of(save)
    before = sequences.get(client) or facts.resources.get(f"Subscription/{subscription_id(client)}")
    number = last_number(before) + 1
    sequences[client] = _subscription(client, partner, number, before)
    identifier = {"system": ANSWER_EVENT_ID, "value": f"{client}/{number}"}
    return {**save, "identifier": [*save["identifier"], identifier]}


def _is_taken(save: Resource) -> bool:
    """Whether a notification has just been taken: then so was the handshake before it."""
    return save["resourceType"] == "Communication" and save["status"] == "completed" and way_of(save) == "notification"


def _notified(save: Resource, site: Site) -> Partner | None:
    """The partner a Communication that begins as a notification goes to."""
    if save["resourceType"] != "Communication" or save["status"] != "in-progress":
        return None
    referrer = site.referrers.get(client_of(save)) if way_of(save) == "notification" else None
    ways = referrer.answers if referrer else ()
    return next((site.partners[w.partner] for w in ways if w.by == "notification"), None)


def _subscription(client: str, partner: Partner, number: int, before: Resource | None) -> Resource:
    """The placer's subscription to his referrals, as the site's configuration gives it to him."""
    made: dict[str, Any] = {
        "resourceType": "Subscription",
        "id": subscription_id(client),
        "status": "requested" if partner.handshake else "active",
        "reason": "Answers to the referrals of this client",
        "criteria": TOPIC,
    }
    kept = unversioned(before) if before is not None else made
    return {
        **kept,
        "extension": [{"url": EVENT_NUMBER, "valueUnsignedInt": number}],
        "channel": {"type": "rest-hook", "endpoint": partner.base, "payload": "application/fhir+json"},
    }


def is_notified(client: str | None, site: Site) -> bool:
    """Whether a client may be told by notifications."""
    referrer = site.referrers.get(client or "")
    return referrer is not None and any(w.by == "notification" for w in referrer.answers)


def subscription_id(client: str) -> str:
    """The id of the subscription a client is notified by."""
    return derived_id("in", "Subscription", client)


def last_number(subscription: Resource | None) -> int:
    """The number given last, 0 where none was."""
    listed = (subscription or {}).get("extension", ())
    return next((int(e["valueUnsignedInt"]) for e in listed if e["url"] == EVENT_NUMBER), 0)


def event_number(communication: Resource) -> int | None:
    """The number of the notification an answer is told by."""
    listed = communication.get("identifier", ())
    values = (i["value"] for i in listed if i.get("system") == ANSWER_EVENT_ID)
    return next((int(v.rpartition("/")[2]) for v in values), None)
