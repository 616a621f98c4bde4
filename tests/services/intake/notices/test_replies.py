"""What a patient answers: a consent, a refusal, a word to stop, and what only a person can read; and silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.services.intake.conftest import Desk
from tests.services.intake.notices.told import (
    Example,
    booked,
    code,
    lane,
    notice,
    notices,
    questions,
    reply,
    sent,
    stand,
    without_consent,
)


def test_a_missing_consent_is_asked_for_and_a_clear_yes_is_the_consent(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    assert "consent-missing" in writing.missing
    sent(writing, "consent-request")
    reply(writing, "consent-request", "YES")
    consent = writing.one("Consent")
    assert (consent["status"], consent["policyRule"]["coding"][0]["code"]) == ("active", "OPTIN")
    assert consent["verification"][0]["verifiedWith"] == notice(writing, "consent-request")["recipient"][0]
    assert "consent-missing" not in writing.missing
    assert len([n for n in notices(writing) if code(n) == "consent-request"]) == 1


def test_a_no_is_a_refusal_and_is_not_asked_again(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", "no")
    assert writing.one("Consent")["provision"]["type"] == "deny"
    assert "consent-refused" in writing.missing
    writing.at += timedelta(days=4)
    writing.push(without_consent(example("iron-meets-criteria")))
    assert len([n for n in notices(writing) if code(n) == "consent-request"]) == 1


@pytest.mark.parametrize("text", ["maybe", "yes, but call me", "STOP"])
def test_a_reply_that_is_no_plain_answer_goes_to_a_person(writing: Desk, example: Example, text: str) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", text)
    assert questions(writing)["reply-unclear"] == "requested"
    assert writing.all("Consent") == []


def test_only_who_was_asked_can_answer(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", "yes", "RelatedPerson/in-00000000-0000-0000-0000-000000000000")
    assert writing.all("Consent") == []
    assert questions(writing)["reply-unclear"] == "requested"


def test_whoever_asks_to_stop_gets_no_more_texts(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", "stop")
    booked(writing, "2026-12-01T15:00:00Z")
    assert "logistics" not in stand(writing)
    assert questions(writing)["nobody-to-tell"] == "requested"


@pytest.mark.parametrize("later, asked", [(timedelta(days=3, seconds=-1), 1), (timedelta(days=3), 2)])
def test_an_unanswered_question_is_asked_again_after_the_days_of_the_policy(
    writing: Desk, example: Example, later: timedelta, asked: int
) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    decision = sent(writing, "consent-request")
    timer = f"notice/{notice(writing, 'consent-request')['id']}"
    assert (decision.reason, decision.wakes[timer]) == ("notice-given", writing.at + timedelta(days=3))
    writing.at += later
    writing.take("wake", f"notice/{notice(writing, 'consent-request')['id']}", lane(writing))
    assert len([n for n in notices(writing) if code(n) == "consent-request"]) == asked


def test_after_the_last_reminder_a_person_is_asked_once(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    for _ in range(4):
        sent(writing, "consent-request")
        writing.at += timedelta(days=3)
        writing.take("wake", f"notice/{notice(writing, 'consent-request')['id']}", lane(writing))
    assert len([n for n in notices(writing) if code(n) == "consent-request"]) == 3
    assert questions(writing)["patient-silent"] == "requested"
    reply(writing, "consent-request", "yes")
    assert questions(writing)["patient-silent"] == "cancelled"
    assert len(writing.all("Consent")) == 1


def test_where_an_answer_does_not_count_a_person_records_the_consent(writing: Desk, example: Example) -> None:
    kept = tuple(f for f in writing.policy.figures.figures if f.id != "consent_by_notice")
    writing.policy = replace(writing.policy, figures=replace(writing.policy.figures, figures=kept))
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", "yes")
    assert writing.all("Consent") == []
    assert questions(writing)["reply-unclear"] == "requested"


def test_a_reply_to_what_came_last_answers_the_open_question(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    for each in ("consent-request", "welcome", "therapy-overview"):
        sent(writing, each)
    writing.at += timedelta(minutes=5)
    reply(writing, "therapy-overview", "Yes")
    assert writing.one("Consent")["policyRule"]["coding"][0]["code"] == "OPTIN"


def test_a_reply_before_the_question_was_sent_does_not_answer_it(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "welcome")
    reply(writing, "welcome", "Yes")
    writing.at += timedelta(minutes=5)
    sent(writing, "consent-request")
    assert writing.all("Consent") == []


def test_what_is_replied_to_other_notices_changes_no_clear_answer(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    sent(writing, "therapy-overview")
    reply(writing, "consent-request", "yes")
    writing.at += timedelta(hours=1)
    reply(writing, "therapy-overview", "no")
    assert len(writing.all("Consent")) == 1
    assert questions(writing)["reply-unclear"] == "requested"


def test_who_takes_his_word_back_has_the_later_one_on_file(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    sent(writing, "consent-request")
    reply(writing, "consent-request", "yes")
    writing.at += timedelta(hours=1)
    reply(writing, "consent-request", "no")
    assert sorted(c["policyRule"]["coding"][0]["code"] for c in writing.all("Consent")) == ["OPTIN", "OPTOUT"]
    assert "consent-refused" in writing.missing


@pytest.mark.parametrize("received", ["2026", "2026-11", "2026-11-21"])
def test_a_reply_dated_to_the_day_answers_only_what_it_names(writing: Desk, example: Example, received: str) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    for each in ("consent-request", "welcome"):
        sent(writing, each)
    for named, consents in (("welcome", 0), ("consent-request", 1)):
        reply(writing, named, "yes", received=received)
        assert len(writing.all("Consent")) == consents
