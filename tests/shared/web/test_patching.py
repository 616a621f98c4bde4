"""A JSON Patch on a resource: what it makes, and where it is said to be wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.web.patching import MOST_OPERATIONS, operations_of, patched
from shared.web.requests import Refused

RESULT: dict[str, Any] = {
    "resourceType": "Observation", "id": "o", "status": "final", "note": [{"text": "first"}, {"text": "second"}],
    "valueQuantity": {"value": Decimal("7.10"), "unit": "g/dL"},
}  # fmt: skip


def refusal(*operations: Any) -> Refused:
    with pytest.raises(Refused) as found:
        patched(RESULT, operations)
    return found.value


def test_operations_are_applied_in_order_and_what_they_do_not_name_keeps_its_digits() -> None:
    made = patched(
        RESULT,
        [
            {"op": "test", "path": "/status", "value": "final"},
            {"op": "replace", "path": "/status", "value": "corrected"},
            {"op": "remove", "path": "/note/0"},
            {"op": "add", "path": "/note/-", "value": {"text": "third"}},
            {"op": "copy", "from": "/note/0", "path": "/note/-"},
            {"op": "move", "from": "/note/2", "path": "/note/0"},
        ],
    )
    assert made["status"] == "corrected"
    assert [n["text"] for n in made["note"]] == ["second", "second", "third"]
    assert str(made["valueQuantity"]["value"]) == "7.10"
    assert RESULT["status"] == "final"
    assert len(RESULT["note"]) == 2


@pytest.mark.parametrize(
    ("operation", "status", "where"),
    [
        ({"op": "replace", "path": "/nope", "value": 1}, 400, "Observation"),
        ({"op": "remove", "path": "/note/2"}, 400, "Observation.note[2]"),
        ({"op": "add", "path": "/note/7", "value": {}}, 400, "Observation.note[7]"),
        ({"op": "add", "path": "/subject/reference", "value": "x"}, 400, "Observation.subject.reference"),
        ({"op": "test", "path": "/status", "value": "amended"}, 422, "Observation.status"),
        ({"op": "test", "path": "/valueQuantity/value", "value": "7.10"}, 422, "Observation.valueQuantity.value"),
        ({"op": "add", "path": "/status"}, 400, "Observation.status"),
        ({"op": "shred", "path": "/status"}, 400, "Observation.status"),
        ({"op": "add", "path": "status", "value": 1}, 400, "Observation"),
        ({"op": "move", "from": "/note", "path": "/note/0/text"}, 400, "Observation.note[0].text"),
        ({"op": "copy", "from": "/nope", "path": "/note/-"}, 400, "Observation.note"),
        ({"op": "copy", "path": "/note/-"}, 400, "Observation.note"),
        ({"path": "/status"}, 400, "Observation.status"),
        ({"op": "add", "path": 5, "value": 1}, 400, "Observation"),
        ({"op": ["add"], "path": "/status", "value": 1}, 400, "Observation.status"),
        ("add", 400, "Observation"),
        (None, 400, "Observation"),
        ({}, 400, "Observation"),
    ],
)
def test_a_patch_that_means_nothing_is_said_to_by_operation_and_element(
    operation: Any, status: int, where: str
) -> None:
    found = refusal({"op": "replace", "path": "/status", "value": "corrected"}, operation)
    assert (found.status_code, [i.expression for i in found.issues]) == (status, [where])
    assert found.issues[0].diagnostics.startswith("operation 1: ")


def test_what_is_said_of_a_patch_names_no_value_and_no_name_that_is_not_fhirs() -> None:
    for operation in (
        {"op": "test", "path": "/status", "value": "Zyxwcanary"},
        {"op": "remove", "path": "/Zyxwcanary"},
        {"op": "Zyxwcanary", "path": "/note/Zyxwcanary"},
    ):
        assert "Zyxwcanary" not in json.dumps(refusal(operation).detail)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"1", b"", b"[", b'[],"a":1', b'[{"a":1,"a":2}]', b"\xff"])
def test_a_body_that_is_no_array_of_operations_is_no_patch(body: bytes) -> None:
    with pytest.raises(Refused) as found:
        operations_of(body)
    assert found.value.status_code == 400


def test_a_patch_has_at_most_so_many_operations() -> None:
    one = {"op": "test", "path": "/status", "value": "final"}
    assert len(operations_of(json.dumps([one] * MOST_OPERATIONS).encode())) == MOST_OPERATIONS
    with pytest.raises(Refused) as found:
        operations_of(json.dumps([one] * (MOST_OPERATIONS + 1)).encode())
    assert found.value.status_code == 413


def test_a_patch_that_doubles_itself_is_stopped_before_it_fills_the_memory() -> None:
    doubling = [{"op": "copy", "from": "/note", "path": "/note/-"}] * MOST_OPERATIONS
    assert refusal(*doubling).status_code == 413
