"""One answer a referral: by the best way, else the next, else a person is asked; nothing late counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.answers.telling import OVERDUE, answer_id, ordinal, way_of
from shared.answering import Way
from shared.core import Decision, Needs, reference
from tests.services.intake.conftest import AT, Desk
from tests.services.intake.reports import said

WAYS = (Way("task", "ehr-mercy"), Way("document", "ehr-cedar"), Way("file", "fax-willow"))


@pytest.fixture
def told_desk(desk: Any) -> Desk:
    """The practice, where the EHR may be told in three ways."""
    return with_ways(desk, WAYS)


def with_ways(desk: Any, ways: tuple[Way, ...], **more: Any) -> Desk:
    referrer = replace(desk.policy.site.referrers["mercy-ehr"], answers=ways, **more)
    site = replace(desk.policy.site, referrers={**desk.policy.site.referrers, "mercy-ehr": referrer})
    return Desk(replace(desk.policy, site=site))


def answer_of(desk: Any) -> Any:
    return desk.held[f"Communication/{answer_id(desk.referral)}"]


def stands(desk: Any) -> tuple[str, str, int]:
    found = answer_of(desk)
    return found["status"], way_of(found), ordinal(found)


def notes(desk: Any) -> list[str]:
    return [n["text"] for n in answer_of(desk)["note"]]


def answered(desk: Any, reason: str, sent: Any = None, detail: str = "HTTP 422") -> Decision:
    sent = sent or answer_of(desk)
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": detail}]}
    resources = (sent, outcome) if reason == "answer-refused" else (sent,)
    lane = f"patient/{desk.one('Patient')['id']}"
    decision: Decision | Needs = desk.take("answer", reason, lane, resources, reference(sent))
    assert isinstance(decision, Decision)
    return decision


def overdue(desk: Any, after: timedelta) -> Decision:
    desk.at = AT + after
    timer = OVERDUE + answer_of(desk)["id"]
    decision: Decision = desk.take("wake", timer, f"patient/{desk.one('Patient')['id']}")
    return decision


def question(desk: Any) -> Any:
    asked = [t for t in desk.all("Task") if t.get("input", [{}])[0].get("type", {}).get("coding")]
    codes = {t["input"][0]["type"]["coding"][0]["code"]: t for t in asked}
    return codes.get("placer-refused")


def test_a_new_referral_is_told_by_the_best_way(told_desk: Any, example: Any) -> None:
    decision = told_desk.push(example("incomplete"))
    assert stands(told_desk) == ("in-progress", "task", 1)
    assert decision.wakes[OVERDUE + answer_of(told_desk)["id"]] == AT + timedelta(minutes=30)
    assert answer_of(told_desk)["recipient"][0]["identifier"]["value"] == "mercy-ehr"


def test_what_is_told_is_over_and_the_timer_with_it(told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    decision = answered(told_desk, "answer-told")
    assert decision.reason == "answer-told"
    assert stands(told_desk) == ("completed", "task", 1)
    assert answer_of(told_desk)["sent"] == AT.isoformat(timespec="seconds")
    assert set(decision.wakes.values()) == {None}
    assert answered(told_desk, "answer-told").reason == "nothing-to-change"


def test_a_refusal_falls_to_the_next_way_and_says_why(told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    assert answered(told_desk, "answer-refused").reason == "answer-diverted"
    assert stands(told_desk) == ("in-progress", "document", 1)
    assert notes(told_desk) == ["By task", "task: refused (HTTP 422)", "By document"]
    assert question(told_desk) is None


def test_a_late_word_about_a_way_left_changes_nothing(told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    sent = answer_of(told_desk)
    answered(told_desk, "answer-refused")
    for reason in ("answer-refused", "answer-told"):
        assert answered(told_desk, reason, sent).reason == "nothing-to-change"
    assert stands(told_desk) == ("in-progress", "document", 1)


def test_a_late_word_about_an_earlier_change_changes_nothing(told_desk: Any, example: Any) -> None:
    told_desk.push(example("iron-meets-criteria"))
    sent = answer_of(told_desk)
    told_desk.hear(said(told_desk, "preauthorization", "in-progress", "investigating"))
    assert stands(told_desk) == ("in-progress", "task", 2)
    assert answered(told_desk, "answer-told", sent).reason == "nothing-to-change"
    assert stands(told_desk) == ("in-progress", "task", 2)


def test_the_next_change_begins_with_the_best_way_again(told_desk: Any, example: Any) -> None:
    told_desk.push(example("iron-meets-criteria"))
    answered(told_desk, "answer-refused")
    told_desk.hear(said(told_desk, "preauthorization", "in-progress", "investigating"))
    assert stands(told_desk) == ("in-progress", "task", 2)
    assert notes(told_desk) == ["By task"]


def test_where_no_way_is_left_a_person_is_asked_once_until_a_change_is_told(told_desk: Any, example: Any) -> None:
    told_desk.push(example("iron-meets-criteria"))
    reasons = [answered(told_desk, "answer-refused").reason for _ in WAYS]
    assert reasons == ["answer-diverted", "answer-diverted", "placer-unreached"]
    assert stands(told_desk) == ("not-done", "file", 1)
    assert question(told_desk)["status"] == "requested"
    assert question(told_desk)["owner"]["identifier"]["value"] == "intake-coordinator"
    told_desk.hear(said(told_desk, "preauthorization", "in-progress", "investigating"))
    for _ in WAYS:
        decision = answered(told_desk, "answer-refused")
    assert [r["resourceType"] for r in decision.saves] == ["Communication"]
    told_desk.hear(said(told_desk, "preauthorization", "on-hold", "needs-information"))
    answered(told_desk, "answer-told")
    assert question(told_desk)["status"] == "cancelled"


@pytest.mark.parametrize("seconds, reason", [(-1, "nothing-to-change"), (0, "answer-diverted"), (1, "answer-diverted")])
def test_a_way_out_of_reach_is_left_after_its_time(seconds: int, reason: str, told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    assert overdue(told_desk, timedelta(minutes=30, seconds=seconds)).reason == reason


@pytest.mark.parametrize("seconds, reason", [(-1, "nothing-to-change"), (0, "placer-unreached")])
def test_the_last_way_is_waited_for_longer(seconds: int, reason: str, desk: Any, example: Any) -> None:
    alone = with_ways(desk, WAYS[:1])
    alone.push(example("incomplete"))
    assert overdue(alone, timedelta(hours=12, seconds=seconds)).reason == reason


def test_a_referrers_own_time_comes_before_the_policys(desk: Any, example: Any) -> None:
    hasty = with_ways(desk, WAYS, patience=timedelta(seconds=2))
    hasty.push(example("incomplete"))
    assert overdue(hasty, timedelta(seconds=1)).reason == "nothing-to-change"
    assert overdue(hasty, timedelta(seconds=2)).reason == "answer-diverted"


def test_a_timer_that_comes_after_the_answer_changes_nothing(told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    answered(told_desk, "answer-told")
    assert overdue(told_desk, timedelta(hours=1)).saves == ()


def test_what_changes_nothing_for_the_placer_is_not_told(told_desk: Any, example: Any) -> None:
    told_desk.push(example("iron-meets-criteria"))
    before = answer_of(told_desk)
    told_desk.push(example("iron-meets-criteria"))
    assert answer_of(told_desk) == before


def test_who_reads_here_is_not_told(desk: Any, example: Any) -> None:
    silent = with_ways(desk, ())
    decision = silent.push(example("incomplete"))
    assert silent.all("Communication") == []
    assert not any(name.startswith(OVERDUE) for name in decision.wakes)


# Notifications


NOTIFIED = (Way("notification", "ehr-aspen"), Way("file", "fax-willow"))


def numbers(desk: Any) -> list[str]:
    systems = answer_of(desk)["identifier"]
    return [i["value"] for i in systems if i["system"].endswith("/answer-event")]


def test_each_notification_takes_the_next_number_of_its_placer(desk: Any, example: Any) -> None:
    notified = with_ways(desk, NOTIFIED)
    notified.push(example("iron-meets-criteria"))
    assert numbers(notified) == ["mercy-ehr/1"]
    assert notified.one("Subscription")["status"] == "requested"
    answered(notified, "answer-told")
    assert notified.one("Subscription")["status"] == "active"
    notified.hear(said(notified, "preauthorization", "in-progress", "investigating"))
    assert numbers(notified) == ["mercy-ehr/2"]
    assert notified.one("Subscription")["status"] == "active"
    assert notified.one("Subscription")["extension"][0]["valueUnsignedInt"] == 2


def test_two_referrals_changed_by_one_decision_take_two_numbers(desk: Any, example: Any) -> None:
    notified = with_ways(desk, NOTIFIED)
    notified.push(example("iron-meets-criteria"))
    other = example("iron-meets-criteria")
    task = next(e["resource"] for e in other["entry"] if e["resource"]["resourceType"] == "Task")
    task["identifier"][0]["value"] += "-2"
    request = next(e["resource"] for e in other["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    for identifier in request.get("identifier", ()):
        identifier["value"] += "-2"
    notified.push(other)
    given = [
        i["value"] for c in notified.all("Communication") for i in c["identifier"] if "answer-event" in i["system"]
    ]
    assert len(given) == 2
    assert len(set(given)) == 2


def test_a_letter_takes_no_number(desk: Any, example: Any) -> None:
    notified = with_ways(desk, NOTIFIED[1:])
    notified.push(example("incomplete"))
    assert numbers(notified) == []
    assert notified.all("Subscription") == []


def test_nobody_outside_writes_what_was_told(told_desk: Any, example: Any) -> None:
    told_desk.push(example("incomplete"))
    answer = answer_of(told_desk)
    lane = f"patient/{told_desk.one('Patient')['id']}"
    decision = told_desk.take("command", "resource-received", lane, ({**answer, "status": "completed"},))
    assert (decision.reason, decision.refusals) == ("referral-refused", ("answer-is-ours",))
    assert stands(told_desk) == ("in-progress", "task", 1)
