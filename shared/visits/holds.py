"""Moves a held visit on by what has been answered: booked, given back, or kept; and counts the attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.visits.authorization import ANSWERED, fingerprint, hold_answer
from shared.visits.case import AnyCase, AnyVisit, Hold, VisitT


def answered(case: AnyCase, visit: VisitT, at: datetime, ready: Callable[[VisitT], bool]) -> VisitT:
    """A held visit booked, given back or kept, by the answer there is; any other visit as it is.

    `ready` says whether nothing but a person's word stands against booking it now.
    """
    if visit.status != "pending" or visit.place is None:
        return visit
    answer = hold_answer(case, visit)
    if case.order["status"] == "on-hold":
        return given_back(visit, Hold(visit.hold.number))
    if answer == "refused":
        return given_back(visit, Hold(visit.hold.number, refused=fingerprint(case)))
    if answer in ANSWERED and at < visit.place.start and ready(visit):
        return replace(visit, status="booked", hold=Hold(visit.hold.number))
    if visit.hold.expires is not None and at >= visit.hold.expires:
        unanswered = visit.hold.unanswered + (0 if answer in ANSWERED else 1)
        return given_back(visit, Hold(visit.hold.number, unanswered=unanswered))
    return visit


def given_back(visit: VisitT, hold: Hold) -> VisitT:
    """The visit without its time."""
    return replace(visit, status="proposed", place=None, hold=hold)


def is_refused(case: AnyCase, visit: AnyVisit) -> bool:
    """Whether the authorization, as it stands, has refused a time for this visit."""
    return visit.status == "proposed" and visit.hold.refused == fingerprint(case)


def is_exhausted(visit: AnyVisit, most: int) -> bool:
    """Whether as many holds went unanswered as the policy allows."""
    return visit.status == "proposed" and visit.hold.unanswered >= most


def next_hold(visit: AnyVisit, at: datetime, minutes: int, most: int) -> Hold:
    """The next attempt: one number higher, with its own expiry."""
    unanswered = 0 if is_exhausted(visit, most) else visit.hold.unanswered
    return Hold(visit.hold.number + 1, at + timedelta(minutes=minutes), unanswered)
