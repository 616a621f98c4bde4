"""What a person of the practice must see to because a notice did not do it: nobody reached, no answer, no clear one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from services.intake.codes import code_of
from services.intake.notices.people import Recipient
from services.intake.notices.replies import counts, meaning, notice_code
from services.intake.notices.turns import NOTICE_REASON, Turn, is_silent
from services.intake.notices.wanted import Followed, Wanted
from services.intake.questions import OPEN, asked_about, closed
from shared.core import Resource, derived_id

TEXTS: Mapping[str, str] = {
    "nobody-to-tell": "The patient is a minor, or of unknown age, or has no address for notices, and nobody who speaks "
    "for him is known with one: who is to be told and asked?",
    "language-unavailable": "There are no words in the patient's language: he is written to in ours. Call him with an "
    "interpreter.",
    "patient-unreached": "A notice to the patient could not be delivered by any medium: call him.",
    "patient-silent": "The patient has not answered any reminder: call him.",
    "reply-unclear": "The patient answered a question in a way only a person can act on: read the reply.",
}
"""What is asked of the intake coordinator; none of it is told to the placer."""


def asked(
    turn: Turn, followed: Iterable[Followed], wanted: Iterable[Wanted], recipient: Recipient | None
) -> Iterator[Resource]:
    """The question Tasks as they now stand, about the patient's first referral; those settled are closed."""
    first = next(iter(followed), None)
    if first is None:
        return
    codes = frozenset(_codes(turn, tuple(wanted), recipient))
    for code, text in TEXTS.items():
        own = derived_id("in", "intake-question", turn.facts.patient, code)
        stored = turn.facts.resources.get(f"Task/{own}")
        if code in codes and (stored is None or stored["status"] == "cancelled"):
            yield {**asked_about(first.referral, code, "intake-coordinator", text, turn.at), "id": own}
        elif stored is not None and code not in codes and stored["status"] in OPEN:
            yield closed(stored)


def _codes(turn: Turn, wanted: tuple[Wanted, ...], recipient: Recipient | None) -> Iterator[str]:
    if wanted and recipient is None:
        yield "nobody-to-tell"
    if wanted and recipient is not None and not recipient.is_understood:
        yield "language-unavailable"
    series: dict[tuple[str, str], list[Resource]] = {}
    for notice in sorted(turn.facts.of("CommunicationRequest"), key=lambda n: (n["authoredOn"], n["id"])):
        if (code := notice_code(notice)) is not None:
            series.setdefault((code, notice["about"][0]["reference"]), []).append(notice)
    for notices in series.values():
        yield from _of_series(turn, notices)


def _of_series(turn: Turn, notices: list[Resource]) -> Iterator[str]:
    last = notices[-1]
    if code_of(last.get("statusReason"), NOTICE_REASON) == "unreached":
        yield "patient-unreached"
    if is_silent(turn, last, len(notices)):
        yield "patient-silent"
    if any(_needs_a_person(turn, n) for n in notices):
        yield "reply-unclear"


def _needs_a_person(turn: Turn, notice: Resource) -> bool:
    """Whether a reply is unclear, asks to stop, or says what no rule of ours can act on."""
    said = meaning(notice, turn.facts)
    if notice_code(notice) == "consent-request":
        return said in ("unclear", "stop") or (said is not None and not counts(turn.figures, turn.at.date()))
    return said in ("unclear", "stop", "no")
