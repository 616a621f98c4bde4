"""What a patient, or who speaks for him, is told and asked: every notice follows from what is known of his referrals.

A notice is a CommunicationRequest; what became of it is a Communication; a reply is a Communication `basedOn` it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.intake.codes import concept
from services.intake.facts import Facts
from services.intake.notices.asking import asked
from services.intake.notices.language import languages
from services.intake.notices.people import Recipient, carers, speaker
from services.intake.notices.replies import consented, meaning, notice_code
from services.intake.notices.turns import NOTICE_REASON, Turn, given, reminded_at, withdrawn
from services.intake.notices.wanted import TO_CARERS, Followed, Wanted, wanted, words_of
from services.intake.records import literal
from shared.core import Event, Resource
from shared.policy import Figures
from shared.settings import Site

__all__ = ["Followed", "Notices", "consented", "notices"]

WAKE = "notice/"
"""Beginning of the keys of timers that end a notice's waiting."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What follows for the patient: resources as they now stand, and timers."""

    saves: tuple[Resource, ...] = ()
    wakes: Mapping[str, datetime | None] = field(default_factory=dict)


def notices(facts: Facts, followed: Sequence[Followed], event: Event, site: Site, figures: Figures) -> Notices:
    """Every notice as it now stands, and what people must see to; nothing without a way to send any and figures."""
    adopted = figures.all("adult_from_years", event.at.date())
    if not site.messaging or not site.messaging.media or not adopted:
        return Notices()
    turn = Turn(facts, event.at, site, figures)
    calls = wanted(followed, event.at)
    recipient = _reachable(turn, speaker(facts, event.at.date(), figures))
    standing = (*_given(turn, calls, recipient), *withdrawn(turn, {(w.code, w.about): w for w in calls}))
    return Notices((*standing, *asked(turn, followed, calls, recipient)), _wakes(turn, standing, event))


def _reachable(turn: Turn, recipient: Recipient | None) -> Recipient | None:
    """A recipient with the media the practice can use and he has not asked to be left alone by; None without any."""
    if recipient is None or turn.site.messaging is None:
        return None
    stopped = {
        n["medium"][-1]["coding"][0]["code"]
        for n in turn.facts.of("CommunicationRequest")
        if notice_code(n) and literal(n["recipient"][0]) == recipient.reference and meaning(n, turn.facts) == "stop"
    }
    media = tuple(m for m in recipient.media if m in turn.site.messaging.media and m not in stopped)
    return Recipient(recipient.reference, media, recipient.language, recipient.asked_in) if media else None


def _given(turn: Turn, calls: Sequence[Wanted], recipient: Recipient | None) -> Iterator[dict[str, Any]]:
    """At most one question becomes active in one decision: the first wanted; what follows it waits its turn."""
    asking = False
    for call in calls:
        for reader in _readers(turn, call, recipient):
            notice = given(turn, call, reader, _text(turn, call, reader))
            if notice is None:
                continue
            if call.asks and asking and notice["status"] == "active":
                notice = {**notice, "status": "on-hold", "statusReason": concept(NOTICE_REASON, "another-question")}
            asking = asking or (call.asks and notice["status"] == "active")
            yield notice


def _readers(turn: Turn, call: Wanted, recipient: Recipient | None) -> Iterator[Recipient]:
    others = carers(turn.facts, turn.at.date()) if call.code in TO_CARERS else ()
    reachable = (recipient, *(_reachable(turn, c) for c in others))
    yield from {r.reference: r for r in reachable if r is not None}.values()


def _text(turn: Turn, call: Wanted, reader: Recipient) -> str:
    names = {site.id: site.name for site in turn.site.sites}
    return words_of(call, languages()[reader.language], turn.site.organization, names, turn.zone)


def _wakes(turn: Turn, standing: Sequence[Resource], event: Event) -> dict[str, datetime | None]:
    """A notice waiting for its hour has a timer, and so has a question waiting for its answer."""
    changed = {n["id"]: n for n in standing}
    everyone = {n["id"]: n for n in turn.facts.of("CommunicationRequest") if notice_code(n)} | changed
    keys = {*changed, *_woken(event)} | {i for i, n in everyone.items() if n["status"] == "completed"}
    return {WAKE + i: _due(turn, everyone[i]) for i in sorted(keys) if i in everyone}


def _woken(event: Event) -> set[str]:
    mine = event.kind == "wake" and event.reason.startswith(WAKE)
    return {event.reason.removeprefix(WAKE)} if mine else set()


def _due(turn: Turn, notice: Resource) -> datetime | None:
    if notice["status"] == "on-hold":
        waits = notice["statusReason"]["coding"][0]["code"] == "quiet-hours"
        return turn.opens if waits else None
    due = reminded_at(turn, notice)
    return due if due is not None and due > turn.at else None
