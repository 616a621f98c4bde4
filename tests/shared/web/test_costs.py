"""No body under the cap takes more memory than is there for it, and none takes work that grows faster than it does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.intake.doors import bundles
from shared.fhir.bodies import LIMIT, PARTS, PLAIN
from shared.fhir.json import GateError, decode
from shared.fhir.profiles import r4
from shared.settings import ROOT
from tests.shared.web.costing import PLACES
from tests.shared.worst import SHAPES, largest

MOST = 200
"""MiB a process may grow by, whatever body it is sent."""

SMALL = 24 * 1024


@pytest.mark.slow
def test_no_body_under_the_cap_takes_more_memory_than_there_is_for_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.shared.web.costing", str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    costs = [json.loads(line) for line in told.splitlines()]
    assert [c["name"] for c in costs] == list(PLACES)
    assert [c for c in costs if c["grew"] > MOST] == []
    answers = Counter(c["status"] // 100 for c in costs)
    assert answers[5] == 0
    assert [c["name"] for c in costs if c["status"] == 200] == ["a document that is kept"]
    assert max(c["bytes"] for c in costs) > 35 * 1024 * 1024


def steps(body: bytes) -> int:
    """Calls made until a body is refused or resolved: a count, so that no clock decides."""
    counted = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        _taken(body)
    finally:
        sys.setprofile(None)
    return counted


def _taken(body: bytes) -> None:
    try:
        resource = decode(body)
    except GateError:
        return
    if not r4().check(resource) and resource["resourceType"] == "Bundle":
        bundles.resolved(resource, "mercy-ehr")


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "a thousand entries referred to"])
def test_a_body_twice_as_large_takes_about_twice_the_work(name: str) -> None:
    shape: Callable[[int], bytes] = SHAPES[name]
    once, twice = (largest(shape, size) for size in (SMALL, 2 * SMALL))
    steps(twice)  # what is compiled when it is first needed, and what is then remembered
    assert steps(twice) <= 2.2 * steps(once) + 2000


@pytest.mark.parametrize(("parts", "let_in"), [(PARTS, True), (PARTS + 1, False)])
def test_a_body_is_let_in_to_so_many_parts(parts: int, let_in: bool) -> None:
    body = b'{"a":[' + b",".join([b"1"] * (parts - 2)) + b"]}"
    if let_in:
        assert len(decode(body)["a"]) == parts - 2
        return
    with pytest.raises(GateError) as caught:
        decode(body)
    assert (caught.value.status, caught.value.issues[0].code) == (413, "too-costly")


def test_commas_and_brackets_in_texts_are_no_parts() -> None:
    assert decode(b'{"a":"' + b",[{:" * PARTS + b'"}')


@pytest.mark.parametrize("escape", [b'\\"', b"\\\\", b'\\\\\\"', b"\\u0041"])
def test_an_escape_may_stand_in_two_windows(escape: bytes) -> None:
    for filler in range(1024 * 1024 - 12, 1024 * 1024 + 2):
        body = b'{"a":"' + b"x" * filler + escape + b'","b":[' + b"[" * 62 + b"]" * 62 + b"]}"
        assert isinstance(decode(body)["b"], list)
        with pytest.raises(GateError):
            decode(body.replace(b"[", b"[[[").replace(b"]", b"]]]"))


def documented(told: str, document: str, limit: int = 8 * LIMIT) -> dict[str, Any]:
    return decode(json.dumps({"note": told, "data": document}).encode(), limit=limit)


def test_a_document_does_not_count_against_the_rest_and_comes_back_as_it_was() -> None:
    document = "QUJD" * (LIMIT // 2)
    assert documented("said", document) == {"note": "said", "data": document}
    wide = json.dumps({"note": "\U0001f600", "data": document}, ensure_ascii=False).encode()
    assert decode(wide, limit=8 * LIMIT) == {"note": "\U0001f600", "data": document}


def test_text_that_is_no_document_counts_in_full() -> None:
    for text in ("a " * LIMIT, "-" * (LIMIT + 10)):
        with pytest.raises(GateError) as caught:
            documented(text, "QUJD" * LIMIT)
        assert (caught.value.status, caught.value.issues[0].code) == (413, "too-long")


def test_what_only_looks_like_a_document_is_read_as_it_stands() -> None:
    long = "A" * 70_000
    odd = {"a": f':"{long}"', "b": [long], "c": f'\\":"{long}', long: long}
    body = json.dumps({**odd, "d": "QUJD" * LIMIT}).encode()
    assert decode(body, limit=8 * LIMIT) == {**odd, "d": "QUJD" * LIMIT}


def test_a_body_of_our_own_may_be_of_any_shape() -> None:
    body = b'{"a":[' + b",".join([b"{}"] * PARTS) + b"]}"
    assert len(decode(body, parts=None)["a"]) == PARTS
    assert PARTS * PLAIN == LIMIT
