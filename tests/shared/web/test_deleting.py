"""What a deletion makes of a record stands before base R4 and the profile under which its owner keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.intake.service import PROFILES
from shared.borders import PROFILE
from shared.fhir.json import decode
from shared.fhir.outcomes import errors
from shared.fhir.profiles import carepod
from shared.fhir.searching import NULLIFIED, tags
from shared.settings import ROOT
from shared.web.deleting import DELETABLE, nullified
from shared.web.history import is_deleted

EXAMPLES = ROOT / "contracts" / "examples"


def examples() -> list[tuple[str, Path]]:
    """(profile, file) of every whole example of a kind that can be taken back."""
    named = [PROFILES[kind].partition("|")[0] for kind in sorted(DELETABLE)]
    return [(name, path) for name in named for path in sorted((EXAMPLES / name).glob("*.json"))]


@pytest.mark.parametrize(("profile", "path"), examples(), ids=lambda v: v.stem if isinstance(v, Path) else v)
def test_a_record_taken_back_may_be_kept(profile: str, path: Path) -> None:
    record: dict[str, Any] = decode(path.read_bytes())
    gone = nullified(record)
    assert errors(carepod().check(gone, [PROFILE + profile])) == []
    assert (is_deleted(gone), is_deleted(record)) == (True, False)
    assert "entered-in-error" in str(gone.get("status", gone.get("verificationStatus")))
    assert NULLIFIED in tags(gone)


def test_every_kind_that_can_be_taken_back_has_an_example() -> None:
    kinds = {decode(path.read_bytes())["resourceType"] for _, path in examples()}
    assert kinds == DELETABLE


def test_what_else_a_record_says_stays_and_nothing_says_when() -> None:
    record = {
        "resourceType": "Observation", "id": "in-1", "status": "final", "valueString": "x",
        "meta": {"versionId": "1-3", "lastUpdated": "2026-01-01T00:00:00Z", "tag": [{"code": "kept"}]},
    }  # fmt: skip
    gone = nullified(record)
    assert gone["valueString"] == "x"
    assert set(gone["meta"]) == {"tag"}
    assert [t["code"] for t in gone["meta"]["tag"]] == ["kept", "nullified"]
    assert record["status"] == "final"
