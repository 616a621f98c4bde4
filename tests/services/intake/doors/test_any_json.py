"""What reads a Bundle before it is known to be one takes any JSON there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.intake.doors.bundles import resolved
from services.intake.doors.entries import faults
from services.intake.doors.messages import message_faults, message_id
from services.intake.doors.shapes import unfolded
from shared.fhir.profiles import r4
from shared.fhir.references import references
from tests.fuzz import examples
from tests.shared.web.stack import of, referral

NAMES = ("resourceType", "entry", "resource", "request", "method", "url", "fullUrl", "id", "contained", "reference")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["Bundle", "Task", "MessageHeader", "POST", "#a", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)


@hypothesis_settings(max_examples=examples(200))
@given(JSON)
def test_any_json_is_read_without_breaking(value: Any) -> None:
    assert isinstance(faults(value), tuple)
    assert message_id(value) is None or isinstance(message_id(value), str)
    assert isinstance(r4().check(value) if isinstance(value, dict) else [], list)
    assert list(references(value)) == list(references(value)) if isinstance(value, dict) else True


@pytest.mark.parametrize("listed", [[], [{"fullUrl": "urn:uuid:1"}]])
def test_a_message_without_header_says_what_is_missing(listed: list[Any]) -> None:
    assert [i.code for i in message_faults({"type": "message", "entry": listed})] == ["structure"]


def test_what_an_order_contains_stands_behind_what_was_sent_and_keeps_its_places() -> None:
    bundle = referral()
    order = of(bundle, "ServiceRequest")
    order["contained"] = [{"resourceType": "Organization", "id": "o", "name": "One"}]
    order["requester"] = {"reference": "#o"}
    sent = len(bundle["entry"])
    opened = unfolded(bundle)
    assert [e["fullUrl"] for e in opened["entry"][:sent]] == [e["fullUrl"] for e in bundle["entry"]]
    (last,) = opened["entry"][sent:]
    assert last["resource"] == {"resourceType": "Organization", "name": "One"}
    assert of(opened, "ServiceRequest")["requester"] == {"reference": last["fullUrl"]}
    arrival = resolved(bundle, "mercy-ehr")
    assert not isinstance(arrival, tuple)
    assert sorted(n for n, _ in arrival.entries) == list(range(sent))
