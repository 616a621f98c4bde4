"""Where a referral stands, in the placer's words: Task.status, the BSeR/360X code, and the reason.

Law of this file: the first standing that holds is told; every status that stops the placer's wait says why; and the
history a placer sees obeys `AFTER`: what ended stays ended, and accepted comes before in-progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time

from services.intake.codes import ANSWER, code_of, task_code
from services.intake.course import Course
from services.intake.orders import ENDINGS, called_off, is_ending
from services.intake.paper import being_read
from services.intake.questions import asks
from services.intake.reading import turned_away
from services.intake.stays import instant
from services.intake.succession import is_of_kin
from shared.core import Resource

UNSEEN = ("proposed", "pending", "booked", "arrived", "checked-in", "waitlist")
"""Statuses of a visit that is still to come, or under way."""
TIMED = ("pending", "booked", "arrived", "checked-in")
"""Statuses of a visit that has its time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Status, BSeR code and reason of the referral Task."""

    status: str
    business: str
    reason: str = ""


_BEGUN = frozenset({"on-hold", "in-progress", "rejected", "completed", "cancelled"})
AFTER: Mapping[str, frozenset[str]] = {
    "accepted": _BEGUN | {"accepted"},
    "on-hold": _BEGUN | {"accepted"},
    "in-progress": _BEGUN,
    "rejected": _BEGUN,
    "completed": _BEGUN,
    "cancelled": frozenset({"cancelled"}),
}
"""What a placer may see after each status. A declined referral is taken up again when payer or placer change their
word, one completed without a visit only when the placer opens his order again."""


def standing(course: Course) -> Standing:
    """The first standing that holds, as it may follow what the placer was told last."""
    wanted = next(s for rule in STANDINGS if (s := rule(course)) is not None)
    stored = course.case.stored
    if stored is None or wanted.status in AFTER.get(stored["status"], frozenset({wanted.status})):
        return wanted
    return Standing("in-progress", wanted.business)


def over(course: Course) -> Standing | None:
    """A referral of which visits were given and that was completed stays completed."""
    stored = course.case.stored
    done = stored is not None and stored["status"] == "completed" and course.visits("fulfilled")
    return Standing("completed", "7.0") if done else None


def ending(course: Course) -> Standing | None:
    """The placer called it off, and visits with a time are still to be cancelled."""
    word = called_off(course.case)
    gone = course.case.stored is not None and course.case.stored["status"] == "cancelled"
    if word is None or gone or not course.visits(*TIMED):
        return None
    return Standing("in-progress", "5.2", f"{_told_off(course, word)}; its visits are being cancelled")


def unread(course: Course) -> Standing | None:
    """It came as a document: a person reads it, or has found that it is no referral."""
    if not being_read(course.case):
        return None
    word = turned_away(course.case)
    return Standing("rejected", "4.0", word) if word else Standing("on-hold", "3.0", "A person reads the document")


def ended(course: Course) -> Standing | None:
    word, stored = called_off(course.case), course.case.stored
    if stored is not None and stored["status"] == "cancelled":
        return Standing("cancelled", "6.0", stored["statusReason"]["text"])
    return Standing("cancelled", "6.0", _told_off(course, word)) if word else None


def _told_off(course: Course, word: str) -> str:
    """The reason told while the visits were being cancelled, else the placer's word; nothing of another record's."""
    said = (course.case.stored or {}).get("statusReason", {}).get("text", "")
    told = ENDINGS.get(word, f"The placer's order is {word}")
    if word == "declined" and course.case.facts.others:
        told = "The practice has declined it"
    return str(said).partition(";")[0] if is_ending(course.case.stored) else told


def incomplete(course: Course) -> Standing | None:
    codes = ", ".join(g.code for g in course.gaps if not g.formal)
    business = "3.0" if course.case.request else "2.0"
    return Standing("on-hold", business, f"Information missing: {codes}") if codes else None


def held(course: Course) -> Standing | None:
    return Standing("on-hold", "3.0", course.case.held_because) if course.case.on_hold else None


def competing(course: Course) -> Standing | None:
    """Of a referral another client has sent, its sender alone is told."""
    case = course.case
    if all(is_of_kin(case, rival) for rival in case.rivals):
        return Standing("on-hold", "3.0", "A question about the order is open at the practice") if case.rivals else None
    text = "Another referral of this patient asks for the same therapy; a person decides which go on"
    return Standing("on-hold", "3.0", text)


def unverified(course: Course) -> Standing | None:
    task = course.verification or {}
    said = {code_of(o.get("type"), ANSWER) for o in task.get("output", ())}
    rejected = task.get("status") == "rejected" or "rejected" in said
    return Standing("on-hold", "3.0", "The pharmacist did not verify the order") if rejected else None


def authorization_waiting(course: Course) -> Standing | None:
    texts = {
        "needs-information": "The authorization needs information",
        "question": "A question about the authorization is open",
    }
    text = texts.get(course.authorization or "")
    return Standing("on-hold", "3.0", text) if text else None


def refused(course: Course) -> Standing | None:
    words = {"denied": "authorization denied", "not-covered": "not covered by the plan"}
    word = words.get(course.authorization or "")
    if word is None:
        return None
    if any(task_code(q) == "appeal" for q in course.questions):
        return Standing("on-hold", "3.0", f"{word}; appeal question open")
    talk = next((q for q in course.questions if "peer-to-peer" in asks(q)), None)
    if talk is not None:
        who = "the prescriber is to speak with a physician of the payer"
        return Standing("on-hold", "3.0", f"{word}; {who}{_when(course, talk)}")
    if any("appeal-outcome" in asks(q) for q in course.questions):
        return Standing("on-hold", "3.0", f"{word}; an appeal is filed")
    return Standing("rejected", "4.0", word)


def _when(course: Course, talk: Resource) -> str:
    """When, by the practice's clock, once that is agreed on."""
    said = (o for o in talk.get("output", ()) if code_of(o.get("type"), ANSWER) == "talk-at")
    zone = course.case.site.sites[0].time_zone
    at = next((at for o in said if (at := instant(o.get("valueDateTime"), time()))), None)
    return f" on {at.astimezone(zone):%Y-%m-%d at %H:%M} ({zone.key})" if at else ""


def given(course: Course) -> Standing | None:
    all_given = course.visits("fulfilled") and not course.visits(*UNSEEN)
    done = course.case.request.get("status") == "completed"
    return Standing("completed", "7.0") if all_given or done else None


def scheduled(course: Course) -> Standing | None:
    return Standing("in-progress", "5.1.1") if course.visits("booked", "arrived", "checked-in") else None


def last_event(course: Course) -> Standing | None:
    """What became of the latest visit that had a time, while no other has one."""
    past = [a for a in course.visits("fulfilled", "noshow", "cancelled") if a["status"] != "cancelled" or "start" in a]
    codes = {"fulfilled": "5.1.4", "noshow": "5.1.2", "cancelled": "5.1.3"}
    return Standing("in-progress", codes[past[-1]["status"]]) if past else None


def visits_waiting(course: Course) -> Standing | None:
    codes = ", ".join(course.asked_for_visits)
    return Standing("on-hold", "3.0", f"Information missing for a visit: {codes}") if codes else None


def under_way(course: Course) -> Standing | None:
    return Standing("in-progress", "3.0") if course.preauthorization else None


def accepted(_: Course) -> Standing | None:
    return Standing("accepted", "3.0")


STANDINGS: tuple[Callable[[Course], Standing | None], ...] = (
    over, ending, ended, unread, incomplete, competing, held, unverified, authorization_waiting, refused, given,
    scheduled, last_event, visits_waiting, under_way, accepted,
)  # fmt: skip
