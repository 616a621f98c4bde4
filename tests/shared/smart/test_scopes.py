"""Reading, narrowing and asking SMART scopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.smart.errors import InvalidScope
from shared.smart.scopes import Scope, allows, granted, parse, stated

LETTERS = ["".join(c for n, c in enumerate("cruds") if bits >> n & 1) for bits in range(1, 32)]
TYPES = ["Patient", "Task", "ServiceRequest", "*"]
A_SCOPE = st.builds(Scope, st.sampled_from(TYPES), st.sampled_from(LETTERS))
SOME = st.lists(A_SCOPE, min_size=1, max_size=6)
ONE = {"create": "c", "read": "r", "update": "u", "delete": "d", "search-type": "s"}


def every(scopes):
    """What scopes allow, pair by pair, over three named types and one unnamed."""
    return {(t, i) for t in ("Patient", "Task", "ServiceRequest", "Claim") for i in ONE if allows(scopes, t, i)}


@pytest.mark.parametrize("letters", LETTERS)
def test_letters_in_the_fixed_order_are_read(letters):
    assert parse(f"system/Patient.{letters}") == (Scope("Patient", letters),)


@pytest.mark.parametrize(
    "old,new",
    [
        ("system/Patient.read", "system/Patient.rs"),
        ("system/Patient.write", "system/Patient.cud"),
        ("system/Patient.*", "system/Patient.cruds"),
        ("system/*.read", "system/*.rs"),
        ("system/*.*", "system/*.cruds"),
    ],
)
def test_a_scope_of_version_1_means_its_letters(old, new):
    assert stated(parse(old)) == new


@pytest.mark.parametrize(
    "text,once",
    [
        ("system/Patient.r system/Patient.s", "system/Patient.rs"),
        ("system/*.rs system/Patient.r", "system/*.rs"),
        ("system/Patient.r system/*.r", "system/*.r"),
        ("system/*.rs system/Patient.ru", "system/*.rs system/Patient.ru"),
    ],
)
def test_a_type_is_stated_once_and_not_beside_a_wildcard_that_says_as_much(text, once):
    assert stated(parse(text)) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "system/Patient.dus",
        "system/Patient.sr",
        "system/Patient.rr",
        "system/Patient.",
        "system/Patient",
        "system/Patient.rx",
        "system/Patient.R",
        "system/patient.r",
        "system/Patient .r",
        "system/.r",
        "system/Pat1ent.r",
        "system/**.r",
        "System/Patient.r",
        "system/Patient.r\n",
        "system/Patient.r\tsystem/Task.r",
        "system/Patient.r  system/Task.r",
        "system/Patient.r ",
        "system/Patiént.r",
        "patient/Patient.r",
        "user/*.rs",
        "launch",
        "openid",
        "offline_access",
        "system/Observation.rs?category=laboratory",
        "system/Patient.rs system/Task.dus",
        f"system/{'P' * 65}.r",
    ],
)
def test_what_is_no_backend_scope_is_refused(text):
    with pytest.raises(InvalidScope):
        parse(text)


def test_a_restriction_by_parameters_is_said_to_be_unsupported_and_not_dropped():
    with pytest.raises(InvalidScope, match="scope 2: restriction by search parameters is not supported"):
        parse("system/Patient.r system/Observation.rs?category=laboratory")


def test_scopes_as_long_as_the_limit_are_read_and_longer_ones_are_not():
    scopes = ("system/Patient.rs " * 227 + "system/Task.r").replace("system/Patient.rs", "system/Patient.r", 3)
    assert len(scopes) == 4096
    assert stated(parse(scopes)) == "system/Patient.rs system/Task.r"
    with pytest.raises(InvalidScope, match="4096"):
        parse(scopes + "s")


def test_a_refusal_does_not_repeat_what_was_asked():
    with pytest.raises(InvalidScope) as refusal:
        parse("system/Canary.dus")
    assert "Canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "asked,registered,given",
    [
        ("system/Patient.rs", "system/Patient.rs", "system/Patient.rs"),
        ("system/Patient.r", "system/Patient.cruds", "system/Patient.r"),
        ("system/Patient.cruds", "system/Patient.rs", "system/Patient.rs"),
        ("system/Patient.rs", "system/*.r", "system/Patient.r"),
        ("system/*.rs", "system/Patient.rs system/Task.cu", "system/Patient.rs"),
        ("system/*.cruds", "system/*.rs", "system/*.rs"),
        ("system/Patient.rs system/Claim.rs", "system/Patient.rs", "system/Patient.rs"),
        ("system/Patient.ru", "system/*.r system/Patient.u", "system/Patient.ru"),
        ("system/*.cruds", "system/*.r system/Task.ru", "system/*.r system/Task.ru"),
    ],
)
def test_what_is_granted_is_what_both_say(asked, registered, given):
    assert stated(granted(parse(asked), parse(registered))) == given


@pytest.mark.parametrize(
    "asked,registered", [("system/Claim.rs", "system/Patient.rs"), ("system/Patient.c", "system/*.rs")]
)
def test_nothing_left_is_refused(asked, registered):
    with pytest.raises(InvalidScope):
        granted(parse(asked), parse(registered))


@pytest.mark.parametrize(
    "interaction,letter",
    [
        ("create", "c"),
        ("read", "r"),
        ("vread", "r"),
        ("history-instance", "r"),
        ("update", "u"),
        ("patch", "u"),
        ("delete", "d"),
        ("search-type", "s"),
        ("history-type", "s"),
    ],
)
def test_each_interaction_needs_its_own_letter(interaction, letter):
    assert allows((Scope("Task", letter),), "Task", interaction)
    assert allows((Scope("*", letter),), "Task", interaction)
    assert not allows((Scope("Task", letter),), "Patient", interaction)
    assert not allows((Scope("Task", "cruds".replace(letter, "")),), "Task", interaction)
    assert not allows((), "Task", interaction)


@given(SOME)
def test_what_is_stated_reads_back_as_the_same(scopes):
    once = parse(" ".join(map(str, scopes)))
    assert parse(stated(once)) == once
    assert every(once) == every(scopes)


@given(SOME, SOME)
def test_a_grant_is_exactly_the_intersection(asked, registered):
    both = every(asked) & every(registered)
    try:
        given_ = granted(tuple(asked), tuple(registered))
    except InvalidScope:
        assert not both
    else:
        assert every(given_) == both


@given(st.text(alphabet="system/*.crudsPatient ?=&read\n\u00e9", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        scopes = parse(text)
    except InvalidScope:
        return
    assert all(letter in "cruds" for scope in scopes for letter in scope.letters)
    assert scopes
    assert all(scope.letters for scope in scopes)


@given(st.text(alphabet="cruds", min_size=1, max_size=6))
def test_letters_are_read_exactly_when_each_stands_once_in_order(letters):
    right = letters in LETTERS
    try:
        parse(f"system/Task.{letters}")
    except InvalidScope:
        assert not right
    else:
        assert right
