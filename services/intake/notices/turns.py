"""The course of each notice: when it is given, again or not at all; a patient is asked one thing at a time.

Law of this file: what was once sent is never changed, only followed by another; nobody is told twice in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.intake.codes import NPI, code_of, concept
from services.intake.facts import Facts
from services.intake.notices.hours import allowed_from
from services.intake.notices.people import Recipient, readers
from services.intake.notices.replies import meaning, notice_code
from services.intake.notices.wanted import NOTICE, QUESTIONS, Wanted
from services.intake.records import literal, unversioned
from shared.core import CANONICAL, IDENTIFIERS, Resource, derived_id, reference
from shared.policy import Figures
from shared.settings import Site

NOTICE_REASON = CANONICAL + "CodeSystem/notice-reason"
NOTICE_MEDIUM = CANONICAL + "CodeSystem/notice-medium"


@dataclass(frozen=True, slots=True)
class Turn:
    """What decides about a patient's notices: all he ever got, the instant, the practice, and its figures."""

    facts: Facts
    at: datetime
    site: Site
    figures: Figures

    @property
    def zone(self) -> ZoneInfo:
        return self.site.sites[0].time_zone

    def notices(self, code: str, about: str, recipient: str) -> list[Resource]:
        """The notices of one kind about one thing to one person, the first first."""
        found = (n for n in self.facts.of("CommunicationRequest") if notice_code(n) == code)
        same = [n for n in found if literal(n["about"][0]) == about and literal(n["recipient"][0]) == recipient]
        return sorted(same, key=lambda n: (len(same), n["authoredOn"], n["id"]))

    @property
    def opens(self) -> datetime:
        """From when a notice may be sent."""
        return allowed_from(self.at, self.zone, self.figures)

    def figure(self, name: str) -> Any:
        """The value of a figure the practice decides by, or None."""
        return next((f.value for f in self.figures.all(name, self.at.date())), None)


def given(turn: Turn, wanted: Wanted, recipient: Recipient, text: str) -> dict[str, Any] | None:
    """The notice as it now stands, or None where nothing more is to be said."""
    earlier = turn.notices(wanted.code, wanted.about, recipient.reference)
    last = earlier[-1] if earlier else None
    if last is not None and last["status"] == "on-hold":
        return _written(turn, wanted, recipient, text, len(earlier), last)
    if last is None or _is_withdrawn(last) or _is_due_again(turn, wanted, earlier, text):
        return _written(turn, wanted, recipient, text, len(earlier) + 1, None)
    return None


def _is_withdrawn(notice: Resource) -> bool:
    """Whether a notice was taken back before it was sent; one that is wanted after all is given under a new number."""
    return code_of(notice.get("statusReason"), NOTICE_REASON) == "not-wanted"


def _is_due_again(turn: Turn, wanted: Wanted, earlier: Sequence[Resource], text: str) -> bool:
    last = earlier[-1]
    if wanted.asks:
        reminder = reminded_at(turn, last)
        return reminder is not None and reminder <= turn.at and len(earlier) < int(turn.figure("times_asked") or 1)
    return wanted.is_told_anew and last["payload"][0]["contentString"] != text


def reminded_at(turn: Turn, question: Resource) -> datetime | None:
    """When an unanswered question is asked again, or a person is; None while it is not sent, or answered."""
    days = turn.figure("reminder_after_days")
    if question["status"] != "completed" or days is None or meaning(question, turn.facts) is not None:
        return None
    return datetime.fromisoformat(question["occurrenceDateTime"]) + timedelta(days=int(days))


def is_silent(turn: Turn, question: Resource, asked: int) -> bool:
    """Whether every reminder of a question has gone unanswered."""
    reminder = reminded_at(turn, question)
    return reminder is not None and reminder <= turn.at and asked >= int(turn.figure("times_asked") or 1)


def is_open(turn: Turn, notice: Resource) -> bool:
    """Whether a question is with the patient: being sent, or sent, not answered, and its time not over."""
    if notice_code(notice) not in QUESTIONS or meaning(notice, turn.facts) is not None:
        return False
    return notice["status"] == "active" or (
        notice["status"] == "completed" and (due := reminded_at(turn, notice)) is not None and due > turn.at
    )


def _written(
    turn: Turn, wanted: Wanted, recipient: Recipient, text: str, number: int, stored: Resource | None
) -> dict[str, Any]:
    notice = {
        "resourceType": "CommunicationRequest",
        "id": derived_id("in", "CommunicationRequest", wanted.about, wanted.code, recipient.reference, str(number)),
        "language": recipient.language,
        "status": "active",
        "category": [concept(NOTICE, wanted.code)],
        "priority": "routine",
        "medium": [concept(NOTICE_MEDIUM, recipient.media[0])],
        "subject": {"reference": f"Patient/{turn.facts.patient}"},
        "about": [{"reference": wanted.about}],
        "payload": [{"contentString": text}],
        "authoredOn": stored["authoredOn"] if stored else turn.at.isoformat(timespec="seconds"),
        "occurrenceDateTime": turn.opens.isoformat(timespec="seconds"),
        "requester": {"identifier": {"system": IDENTIFIERS + "role", "value": "intake-coordinator"}},
        "recipient": [{"reference": recipient.reference}],
        "sender": {"identifier": {"system": NPI, "value": turn.site.npi}, "display": turn.site.organization},
    }
    if wanted.asks and any(is_open(turn, n) for n in turn.facts.of("CommunicationRequest")):
        return _waiting(notice, stored, "another-question")
    return _waiting(notice, stored, "quiet-hours") if turn.opens > turn.at else notice


def _waiting(notice: dict[str, Any], stored: Resource | None, reason: str) -> dict[str, Any]:
    """A notice that waits says why; one that waits for the same reason stays as it is stored."""
    held = {**notice, "status": "on-hold", "statusReason": concept(NOTICE_REASON, reason)}
    if stored is not None and _said(stored) == _said(held):
        return unversioned(stored)
    return held


def _said(notice: Resource) -> dict[str, Any]:
    return {k: v for k, v in notice.items() if k not in ("meta", "occurrenceDateTime")}


def withdrawn(turn: Turn, wanted: Mapping[tuple[str, str], Wanted]) -> Iterator[dict[str, Any]]:
    """Notices not yet sent that nobody wants any more, or whose recipient is not to be told any more."""
    for notice in turn.facts.of("CommunicationRequest"):
        code = notice_code(notice)
        if code is None or notice["status"] not in ("on-hold", "active"):
            continue
        if (code, literal(notice["about"][0])) not in wanted or not _is_read(turn, notice, code):
            yield {
                **unversioned(notice),
                "status": "revoked",
                "statusReason": concept(NOTICE_REASON, "not-wanted"),
            }


def _is_read(turn: Turn, notice: Resource, code: str) -> bool:
    people = readers(turn.facts, code, turn.at.date(), turn.figures)
    return literal(notice["recipient"][0]) in {reference(p) for p in people}
