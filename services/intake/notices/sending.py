"""What became of a notice that was sent: given, tried by the next medium, or reaching nobody; each attempt is kept."""

from __future__ import annotations

from typing import Any

from services.intake.codes import NPI, concept
from services.intake.facts import Facts
from services.intake.notices.people import contacts, may_read
from services.intake.notices.replies import notice_code
from services.intake.notices.turns import NOTICE_MEDIUM, NOTICE_REASON
from services.intake.records import unversioned
from shared.core import Event, Resource, derived_id
from shared.settings import Site

SENT, REFUSED = "notice-sent", "notice-refused"
"""Answers of the channels that carry notices."""


def told(event: Event, facts: Facts, site: Site) -> tuple[Resource, ...]:
    """The notice as a channel's answer leaves it, and the record of the attempt; nothing where it is settled."""
    notice = facts.resources.get(event.focus or "")
    if notice is None or notice["status"] != "active":
        return ()
    if event.reason == SENT:
        done = {"status": "completed", "occurrenceDateTime": _stamp(event)}
        return ({**unversioned(notice), **done}, _communication(notice, event, "completed", site))
    another = _untried(notice, facts.at(notice["recipient"][0]) or {}, event, site)
    changed: dict[str, Any] = {"status": "revoked", "statusReason": concept(NOTICE_REASON, "unreached")}
    if another is not None:
        changed = {"medium": [*notice["medium"], concept(NOTICE_MEDIUM, another)]}
    return ({**unversioned(notice), **changed}, _communication(notice, event, "not-done", site))


def medium_of(notice: Resource) -> str:
    """The medium a notice now goes by: the last one named."""
    return str(notice["medium"][-1]["coding"][0]["code"])


def _untried(notice: Resource, person: Resource, event: Event, site: Site) -> str | None:
    tried = {m["coding"][0]["code"] for m in notice["medium"]}
    usable = site.messaging.media if site.messaging else frozenset()
    on = event.at.date()
    known = contacts(person, on) if may_read(person, notice_code(notice) or "", on) else ()
    return next((m for m, _ in known if m not in tried and m in usable), None)


def _communication(notice: Resource, event: Event, status: str, site: Site) -> dict[str, Any]:
    """The record of one attempt."""
    elements = {
        "resourceType": "Communication",
        "id": derived_id("in", "Communication", str(notice["id"]), medium_of(notice)),
        "basedOn": [{"reference": f"CommunicationRequest/{notice['id']}"}],
        "status": status,
        "statusReason": concept(NOTICE_REASON, "refused") if status == "not-done" else None,
        "category": notice["category"],
        "medium": [notice["medium"][-1]],
        "subject": notice["subject"],
        "about": notice["about"],
        "sent": _stamp(event) if status == "completed" else None,
        "recipient": notice["recipient"],
        "sender": {"identifier": {"system": NPI, "value": site.npi}, "display": site.organization},
        "payload": notice["payload"],
    }
    return {name: value for name, value in elements.items() if value}


def _stamp(event: Event) -> str:
    return event.at.isoformat(timespec="seconds")
