"""Our Subscription at a payer: made once, renewed before its end, watched for silence and for what never came."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from services.auth.facts import Facts, facts_of
from services.auth.gather import gather_facts
from services.auth.policy import AuthPolicy
from services.auth.service import declared
from services.auth.subscribing.asking import subscription_due
from services.auth.subscribing.watching import (
    AGAIN,
    GAP,
    HEARTBEAT,
    LANE,
    NOTIFIED,
    PATIENCE,
    QUIET,
    REFUSED,
    RENEW,
    SILENCE,
    STANDS,
    TAKEN,
    last_number,
    missing,
    subscription_id,
)
from services.auth.words import AT_PAYER, part, question_code
from shared.core import ROUSED, Decision, Event, Resource, Service, reference
from shared.settings import SettingsError, Site, _payer
from tests.services.auth.journey import Journey, Store, claim_answer
from tests.services.auth.patient import BASE, NOW, POLICIES, SECRET, practice, referral, validator
from tests.services.auth.pharmacy import ELECTRONIC, asks, paid_by_pharmacy, questionnaire, replies

PAYER = "prairie-health"
ENDPOINT = f"http://us.test/notifications/pas/{PAYER}"
ADDRESS = f"{BASE}/Subscription/s1"


@cache
def subscribing() -> Site:
    site = practice(*POLICIES)
    first, *others = site.payers
    return replace(site, payers=(replace(first, subscribes=True), *others), address="http://us.test")


@cache
def service() -> Service:
    return declared(subscribing())


@dataclass(slots=True)
class Lane:
    """The payer's lane: each decision is kept, and each saves legal R4."""

    at: datetime = NOW
    payer: str = PAYER
    site: Site = field(default_factory=subscribing)
    stored: Resource | None = None
    waiting: tuple[Resource, ...] = ()
    last: Decision = field(default_factory=lambda: Decision("nothing-to-do"))

    def take(self, kind: Any, reason: str, *resources: Resource) -> Decision:
        known = facts_of([*([self.stored] if self.stored else []), *self.waiting])
        event = Event(kind, reason, LANE + self.payer, self.at, self.at, resources)
        ours = declared(self.site)
        found = ours.coordinate(event, known, ours.policy)
        assert isinstance(found, Decision)
        for saved in found.saves:
            assert validator().check(saved) == []
            self.stored = saved
        self.last = found
        return found

    @property
    def now(self) -> Resource:
        assert self.stored is not None
        return self.stored

    def asked(self) -> Lane:
        self.take("wake", ROUSED)
        return self

    def active(self) -> Lane:
        self.asked().take("answer", TAKEN, at_payer())
        self.take("answer", NOTIFIED, status("handshake", 0))
        return self


def at_payer(address: str = ADDRESS, **said: str) -> dict[str, Any]:
    known = {"url": AT_PAYER, "extension": [{"url": "address", "valueUrl": address}]}
    return {"resourceType": "Subscription", "extension": [known], "status": "requested", **said}


def status(kind: str, count: int, *numbers: int, state: str = "active", name: str = "s1") -> dict[str, Any]:
    events = [
        {"name": "notification-event", "part": [{"name": "event-number", "valueString": str(n)}]} for n in numbers
    ]
    said = [
        {"name": "subscription", "valueReference": {"reference": f"http://payer.test/Subscription/{name}"}},
        {"name": "status", "valueCode": state},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(count)},
    ]
    return {"resourceType": "Parameters", "parameter": [*said, *events]}


def event(*numbers: int, **said: Any) -> dict[str, Any]:
    return status("event-notification", max(numbers), *numbers, **said)


# Made, and kept


def test_asking_a_payer_for_the_first_time_rouses_its_lane() -> None:
    decision = Journey(service=service()).hears(*referral())
    assert decision.rouses == frozenset([LANE + PAYER])
    assert Journey().hears(*referral()).rouses == frozenset()


def test_asking_who_decides_the_pharmacy_benefit_rouses_its_lane_too() -> None:
    payers = tuple(replace(p, subscribes=p.id in (PAYER, "prairie-rx")) for p in ELECTRONIC.payers)
    journey = paid_by_pharmacy(replace(ELECTRONIC, payers=payers))
    response = journey.one("QuestionnaireResponse")
    journey.answered("question-set-received", response, questionnaire(asks("1", "string")))
    assert replies(journey, ("1", "valueString", "a")).rouses == frozenset([LANE + PAYER, LANE + "prairie-rx"])


def test_it_is_asked_for_once() -> None:
    lane = Lane().asked()
    assert (lane.now["status"], lane.now["end"]) == ("requested", (NOW + STANDS).isoformat())
    assert lane.now["channel"]["endpoint"] == ENDPOINT
    assert SECRET not in str(lane.now)
    assert subscription_due(None, lane.now) == lane.now["end"]
    assert lane.take("wake", ROUSED).saves == ()


def test_a_handshake_makes_it_active_whichever_comes_first() -> None:
    first = Lane().active()
    other = Lane().asked()
    other.take("answer", NOTIFIED, status("handshake", 0, state="requested"))
    other.take("answer", TAKEN, at_payer())
    for lane in (first, other):
        assert lane.now["status"] == "active"
        assert part(lane.now, AT_PAYER, "address") == ADDRESS
    assert subscription_due(None, first.now) is None


def test_it_is_renewed_before_the_end_the_payer_gives_it() -> None:
    lane = Lane().asked()
    early = NOW + timedelta(days=30)
    wakes = lane.take("answer", TAKEN, at_payer(status="active", end=early.isoformat())).wakes
    assert wakes[RENEW] == early - timedelta(days=14)
    before, lane.at = lane.now, early - timedelta(days=14)
    lane.take("wake", RENEW)
    assert (lane.now["status"], lane.now["end"]) == ("requested", (lane.at + STANDS).isoformat())
    assert subscription_due(before, lane.now) == lane.now["end"]


def test_one_that_ends_sooner_than_it_can_be_renewed_is_not_asked_for_without_rest() -> None:
    lane = Lane().asked()
    wakes = lane.take("answer", TAKEN, at_payer(end=(NOW + timedelta(hours=1)).isoformat())).wakes
    assert wakes[RENEW] == NOW + AGAIN


@pytest.mark.parametrize(
    "end",
    ["2026-12-31T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-12-01T00:00:00.1234567Z"],
)
def test_any_legal_end_of_a_payer_is_taken(end: str) -> None:
    lane = Lane().asked()
    assert NOW + AGAIN <= lane.take("answer", TAKEN, at_payer(end=end)).wakes[RENEW] <= NOW + STANDS


def test_a_refusal_is_told_and_asked_for_again_later() -> None:
    lane = Lane().asked()
    wrong = {"severity": "error", "code": "invalid", "diagnostics": "No such topic"}
    wakes = lane.take("answer", REFUSED, {"resourceType": "OperationOutcome", "issue": [wrong]}).wakes
    assert (lane.now["status"], lane.now["error"]) == ("error", "The payer did not take it: No such topic")
    assert wakes == {RENEW: NOW + AGAIN}
    lane.at = NOW + AGAIN
    lane.take("wake", RENEW)
    assert (lane.now["status"], "error" in lane.now) == ("requested", False)


def test_a_handshake_that_never_comes_is_asked_for_again_after_two_days() -> None:
    lane = Lane().asked()
    assert lane.take("answer", TAKEN, at_payer()).wakes[QUIET] == NOW + SILENCE
    lane.at += SILENCE
    lane.take("wake", QUIET)
    assert (lane.now["status"], lane.now["end"]) == ("requested", (lane.at + STANDS).isoformat())


def test_one_taken_after_the_payer_gave_it_up_is_watched_for_silence_too() -> None:
    lane = Lane().active()
    for _ in range(2):
        lane.take("answer", NOTIFIED, status("heartbeat", 0, state="error"))
    lane.take("answer", TAKEN, at_payer())
    lane.at += SILENCE
    lane.take("wake", QUIET)
    assert lane.now["status"] == "requested"


def test_two_days_without_a_heartbeat_ask_for_it_again() -> None:
    lane = Lane().active()
    lane.at = NOW + HEARTBEAT
    assert lane.take("answer", NOTIFIED, status("heartbeat", 0)).wakes[QUIET] == lane.at + SILENCE
    lane.at += SILENCE
    lane.take("wake", QUIET)
    assert lane.now["status"] == "requested"


@pytest.mark.parametrize("state", ["error", "off"])
def test_one_the_payer_has_given_up_is_asked_for_again(state: str) -> None:
    lane = Lane().active()
    lane.at = NOW + timedelta(hours=1)
    lane.take("answer", NOTIFIED, status("heartbeat", 0, state=state))
    assert lane.now["status"] == "requested"


def test_one_the_payer_gives_up_again_and_again_is_asked_for_after_a_while() -> None:
    lane, times = Lane().active(), 0
    for _ in range(5):
        before, lane.at = lane.now, lane.at + timedelta(seconds=1)
        lane.take("answer", NOTIFIED, status("heartbeat", 0, state="error"))
        times += subscription_due(before, lane.now) is not None
        lane.take("answer", TAKEN, at_payer(status="active"))
        lane.take("answer", NOTIFIED, status("handshake", 0))
    assert times == 1
    assert lane.take("answer", NOTIFIED, status("heartbeat", 0, state="off")).wakes == {RENEW: lane.at + AGAIN}
    assert lane.take("answer", NOTIFIED, status("heartbeat", 0, state="off")) == Decision("nothing-to-do")
    lane.at += AGAIN
    lane.take("wake", RENEW)
    assert (lane.now["status"], "error" in lane.now) == ("requested", False)


# What did not come

NUMBERS: list[tuple[list[dict[str, Any]], int, tuple[int, ...]]] = [
    ([event(1)], 1, ()),
    ([event(1), event(1)], 1, ()),
    ([event(1), event(2)], 2, ()),
    ([event(2)], 2, (1,)),
    ([event(1), event(4)], 4, (2, 3)),
    ([event(1), event(4), event(2)], 4, (3,)),
    ([event(1), event(4), event(3), event(2)], 4, ()),
    ([event(1, 2)], 2, ()),
    ([event(1), status("heartbeat", 1)], 1, ()),
    ([event(1), status("heartbeat", 2)], 2, (2,)),
    ([event(1), status("handshake", 3)], 3, (2, 3)),
    ([event(5), status("handshake", 0)], 0, ()),
    ([event(1), event(7, name="another")], 1, ()),
]


@pytest.mark.parametrize(("told", "number", "lost"), NUMBERS)
def test_numbers_say_what_never_came(told: list[dict[str, Any]], number: int, lost: tuple[int, ...]) -> None:
    lane = Lane().active()
    for said in told:
        lane.take("answer", NOTIFIED, said)
    assert (last_number(lane.now), missing(lane.now)) == (number, lost)


@pytest.mark.parametrize("named", ["valueString", "valueUri"])
def test_a_notification_that_names_its_subscription_in_words_is_counted(named: str) -> None:
    lane, said = Lane().active(), event(1)
    said["parameter"][0] = {"name": "subscription", named: "s1"}
    lane.take("answer", NOTIFIED, said)
    assert last_number(lane.now) == 1


def test_one_that_was_there_before_us_begins_where_it_stands() -> None:
    lane = Lane().asked()
    lane.take("answer", TAKEN, at_payer())
    lane.take("answer", NOTIFIED, status("handshake", 12))
    assert (last_number(lane.now), missing(lane.now)) == (12, ())


def test_what_who_decides_the_pharmacy_benefit_told_in_vain_is_asked_about() -> None:
    payers = tuple(replace(p, subscribes=p.id == "prairie-rx") for p in ELECTRONIC.payers)
    journey = paid_by_pharmacy(replace(ELECTRONIC, payers=payers))
    response = journey.one("QuestionnaireResponse")
    journey.answered("question-set-received", response, questionnaire(asks("1", "string")))
    replies(journey, ("1", "valueString", "a"))
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    lane = Lane(payer="prairie-rx", site=replace(subscribing(), payers=payers)).active()
    lane.take("answer", NOTIFIED, event(2))
    lane.take("wake", GAP)
    journey.store.known[reference(lane.now)] = {**lane.now, "meta": {"versionId": "1-1"}}
    journey.wakes(ROUSED)
    assert [question_code(q) for q in journey.tasks("authorization-question")][-1] == "decision-due"


async def test_persons_are_asked_about_what_is_pended_when_an_event_stays_away() -> None:
    journey = Journey(service=service()).benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    lane = Lane(at=NOW + timedelta(minutes=1), waiting=tuple(journey.tasks("preauthorization"))).active()
    assert lane.take("answer", NOTIFIED, event(2)).wakes[GAP] == lane.at + PATIENCE
    lane.at += PATIENCE
    assert lane.take("wake", GAP).rouses == frozenset(["patient/in-p"])
    journey.at = lane.at
    journey.store.known[reference(lane.now)] = {**lane.now, "meta": {"versionId": "1-1"}}
    journey.wakes(ROUSED)
    (question,) = journey.tasks("authorization-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "decision-due"
    journey.answered("preauthorization-answered", claim, claim_answer(claim, answer_id="ph2"))
    assert [q["status"] for q in journey.tasks("authorization-question")] == ["cancelled"]


def test_what_comes_late_but_in_time_asks_nobody() -> None:
    lane = Lane().active()
    lane.take("answer", NOTIFIED, event(2))
    lane.take("answer", NOTIFIED, event(1))
    assert lane.take("wake", GAP) == Decision("nothing-to-do")


def test_a_request_made_after_the_gap_is_not_asked_about() -> None:
    lane = Lane(at=NOW - timedelta(days=1)).active()
    lane.take("answer", NOTIFIED, event(2))
    lane.take("wake", GAP)
    journey = Journey(service=service()).benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    journey.store.known[reference(lane.now)] = {**lane.now, "meta": {"versionId": "1-1"}}
    assert journey.wakes(ROUSED) == Decision("nothing-to-do")


async def test_a_roused_patient_knows_the_subscriptions_and_a_payer_who_waits() -> None:
    journey = Journey(service=service()).benefit_known()
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A4"))
    lane = Lane().active()
    store = Store({**journey.store.known, reference(lane.now): lane.now})
    roused = await gather_facts(Event("wake", ROUSED, "patient/in-p", NOW, NOW), store, frozenset())
    payer = await gather_facts(Event("wake", GAP, LANE + PAYER, NOW, NOW), store, frozenset())
    assert [roused.at(reference(lane.now)) is not None, len(payer.of("Task"))] == [True, 1]


# Whose it is


def test_a_payer_that_is_to_notify_needs_a_secret() -> None:
    said = {"id": "x", "name": "X", "identifiers": [], "line_of_business": "commercial", "partner": "p"}
    with pytest.raises(SettingsError, match="notification_secret"):
        _payer(said | {"subscribes": True}, {"p": {}})
    assert _payer(said | {"subscribes": True}, {"p": {"notification_secret": "s"}}).subscribes


def test_a_lane_of_a_payer_that_is_not_configured_decides_nothing() -> None:
    plain = declared(practice(*POLICIES))
    assert isinstance(plain.policy, AuthPolicy)
    roused = Event("wake", ROUSED, LANE + PAYER, NOW, NOW)
    assert plain.coordinate(roused, Facts({}), plain.policy) == Decision("nothing-to-do")
    assert subscription_id(PAYER).startswith("au-")
