"""What else follows from a referral worked out: one line for each kind of consequence, and for each timer.

Law of this file: a consequence is a pure function of the referral as it now stands; it never rests on what another
consequence says, and says the same again when nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.intake.answers import telling
from services.intake.choosing import choices
from services.intake.countersigning import signature_clock
from services.intake.facts import Case
from services.intake.persons.duplicates import possible_duplicates
from services.intake.requirements.demands import Demands
from services.intake.requirements.gap import Gap
from services.intake.stays import turning
from shared.core import Resource, reference
from shared.policy import Figures
from shared.settings import Site


@dataclass(frozen=True, slots=True)
class Policy:
    """Figures in force, the practice's configuration, and what our profiles of referrals demand."""

    figures: Figures
    site: Site
    demands: Demands


@dataclass(frozen=True, slots=True)
class Worked:
    """One referral worked out: what it needs, our orders for it, the questions about it, and what the placer is told.

    order  our order for the therapy now asked for; None while there is none.
    """

    case: Case
    gaps: tuple[Gap, ...]
    orders: tuple[Resource, ...]
    questions: Mapping[str, Resource]
    referral: Resource
    policy: Policy
    at: datetime

    @property
    def order(self) -> Resource | None:
        return next((o for o in self.orders if o["id"] == self.case.order_id), None)


Consequence = Callable[[Worked], Iterable[Resource]]
Timer = Callable[[Worked], Mapping[str, datetime | None]]

CONSEQUENCES: tuple[Consequence, ...] = (
    choices,
    possible_duplicates,
    telling.answers,
)
"""Each gives the resources it asserts about one referral; what is stored already is not saved again."""

TIMERS: tuple[Timer, ...] = (
    turning,
    signature_clock,
    telling.deadlines,
)
"""Each gives timers of the patient's lane by name; when one falls due, every referral is worked out anew."""

REASONS_BY_KIND: Mapping[str, str] = {
    "Task#referral-question": "referral-doubled",
    "CommunicationRequest": "notice-given",
}
"""Kind (`Type`, or `Type#code` of a Task) -> the decision's reason where only such consequences changed."""


def consequences(worked: Iterable[Worked]) -> tuple[Resource, ...]:
    """Everything that follows from these referrals, each resource once."""
    found = {reference(r): r for w in worked for consequence in CONSEQUENCES for r in consequence(w)}
    return tuple(found.values())


def timers(worked: Iterable[Worked]) -> dict[str, datetime | None]:
    """The timers these referrals want, by name."""
    return {name: due for w in worked for timer in TIMERS for name, due in timer(w).items()}
