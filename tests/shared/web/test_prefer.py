"""The Prefer header, read."""

from __future__ import annotations

import pytest

from shared.web.prefer import Preference, preference


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", Preference()),
        ("return=minimal", Preference("minimal")),
        ("return=representation", Preference("representation")),
        ("return=OperationOutcome", Preference("OperationOutcome")),
        ("handling=strict", Preference(strict=True)),
        ("handling=lenient", Preference()),
        ('return="minimal"; handling=strict', Preference("minimal", strict=True)),
        ("respond-async, Return = minimal,handling=strict", Preference("minimal", strict=True)),
        ("return=everything, handling=rough", Preference()),
        ("handling=strictly", Preference()),
        ("wait=10", Preference()),
    ],
)
def test_what_is_ours_is_read_and_the_rest_left_aside(header: str, found: Preference) -> None:
    assert preference(header) == found


def test_of_what_was_written_so_much_is_answered_as_is_preferred() -> None:
    written = {"resourceType": "Patient", "id": "p"}
    assert preference("").of(written) is written
    assert preference("return=representation").of(written) is written
    assert preference("return=minimal").of(written) is None
    assert (preference("return=OperationOutcome").of(written) or {})["resourceType"] == "OperationOutcome"
