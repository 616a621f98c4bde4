"""Whatever order commands come in and however often: the case ends as the source's own order of them would have it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake import cases, coordinator, folding, succession, versions
from services.intake.records import bare
from services.intake.versions import laid_over
from shared.core import Resource
from tests.services.intake.history import FIRST, OTHER, SECOND, Command, Intake, Source, state

ACTS = ("create", "update", "hold", "resume", "revoke")
some = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def histories(draw: st.DrawFn) -> list[Command]:
    """What the source did, in its own order: what it sent each time, and by its clock when; equal times occur."""
    source, sent, second = Source({}), [], 0
    for day in range(1, draw(st.integers(2, 6)) + 1):
        acts = (*ACTS, "replace", "other") if FIRST in source.orders else ("create",)
        act = draw(st.sampled_from((*acts, "merge", "part") if source.open else acts))
        among = source.open if act in ("merge", "part") else [w for w in source.orders if w != OTHER] or [FIRST]
        which = {"replace": SECOND, "other": OTHER}.get(act) or draw(st.sampled_from(among))
        source = source.after("create" if act in ("replace", "other") else act, which, day)
        second += draw(st.integers(0, 1))
        sent.append(Command(which, source, second))
    return sent


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Command], list[int]]:
    """A history, and the order in which its commands arrive: every one at least once, some again."""
    sent = draw(histories())
    again = draw(st.lists(st.integers(0, len(sent) - 1), max_size=4))
    return sent, draw(st.permutations([*range(len(sent)), *again]))


def in_the_sources_order(sent: Sequence[Command], arrived: Sequence[int]) -> list[Command]:
    """Each command once: by the source's clock, at equal times as they came."""
    once = list(dict.fromkeys(arrived))
    return [sent[n] for n in sorted(once, key=lambda n: (sent[n].second or 0, once.index(n)))]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def compared(
    tmp_path: Path, site: Any, loop: asyncio.AbstractEventLoop
) -> Iterator[Callable[[Sequence[Command], Sequence[int]], tuple[Any, Any]]]:
    """Runs commands as they arrive and, in a store of its own, once each in the source's order; how both end."""
    (tmp_path / "came").mkdir()
    (tmp_path / "ordered").mkdir()
    came, ordered = (loop.run_until_complete(Intake.opened(tmp_path / name, site)) for name in ("came", "ordered"))
    numbers = itertools.count(0, 2)

    async def run(intake: Intake, number: int, commands: Sequence[Command]) -> Any:
        for command in commands:
            await intake.take(command, number)
        return await intake.told(number)

    def both(sent: Sequence[Command], arrived: Sequence[int]) -> tuple[Any, Any]:
        number = next(numbers)
        found = run(came, number, [sent[n] for n in arrived])
        wanted = run(ordered, number, in_the_sources_order(sent, arrived))
        return loop.run_until_complete(found), loop.run_until_complete(wanted)

    yield both
    for intake in (came, ordered):
        loop.run_until_complete(intake.runner.database.close())


@pytest.mark.slow
@some
@given(history=arrivals())
def test_commands_in_any_order_and_any_number_end_as_in_the_sources_order(
    history: tuple[list[Command], list[int]], compared: Any
) -> None:
    found, wanted = compared(*history)
    assert found == wanted


def said(*acts: str) -> list[Command]:
    """A history of acts, `act` or `act@second`; without a second each comes one after the other."""
    source, sent = Source({}), []
    for n, (act, _, second) in enumerate((a.partition("@") for a in acts), start=1):
        which = {"replace": SECOND, "other": OTHER}.get(act, FIRST)
        source = source.after("create" if act in ("replace", "other") else act, which, n)
        sent.append(Command(which, source, int(second) if second else n))
    return sent


ARRIVED: Mapping[str, tuple[list[Command], list[int]]] = {
    "a hold that comes before the order": (said("create", "hold"), [1, 0]),
    "a tombstone: the order comes after its end": (said("create", "revoke"), [1, 0]),
    "a resume whose hold comes last": (said("create", "hold", "resume"), [0, 2, 1]),
    "hold and resume of one date, the hold again": (said("create@1", "hold@2", "resume@2"), [0, 1, 2, 1]),
    "an end that comes after the order was sent again": (said("create", "revoke", "create"), [0, 2, 1]),
    "an update after the end": (said("create", "update", "revoke"), [0, 2, 1, 1]),
    "a replacement of what we do not have yet": (said("create", "replace"), [1, 0]),
    "a replaced order that is updated late": (said("create", "update", "replace"), [0, 2, 1]),
    "a merge before the other record is known": (said("create", "other", "merge"), [0, 2, 1]),
    "a wrong merge undone, and heard of late": (said("create", "other", "merge", "part"), [0, 1, 3, 2]),
}


@pytest.mark.parametrize("name", ARRIVED)
def test_what_comes_late_or_early_ends_as_if_it_had_come_in_time(name: str, compared: Any) -> None:
    found, wanted = compared(*ARRIVED[name])
    assert found == wanted


def test_what_comes_under_the_surviving_record_reaches_the_case_where_it_stands(
    tmp_path: Path, site: Any, loop: asyncio.AbstractEventLoop
) -> None:
    intake = loop.run_until_complete(Intake.opened(tmp_path, site))
    *before, changed = said("create", "other", "merge", "hold")
    for command in (*before, replace(changed, survivor=True)):
        loop.run_until_complete(intake.take(command, 0))
    held = loop.run_until_complete(intake.held(0))
    assert state(held, 0)["REF-000000"]["order"]["status"] == "on-hold"
    coverages = [r for r in held.values() if r["resourceType"] == "Coverage"]
    assert len({c["subscriberId"] for c in coverages}) == len(coverages), "a coverage is kept twice"
    again = loop.run_until_complete(intake.take(replace(changed, survivor=True), 0))
    assert again == "nothing-to-change"
    loop.run_until_complete(intake.runner.database.close())


Patch = Callable[[pytest.MonkeyPatch], None]
PROTECTIONS: Mapping[str, tuple[str, Patch]] = {
    "the source's date": (
        "a hold that comes before the order",
        lambda patch: patch.setattr(versions, "came_late", lambda stored, received: False),
    ),
    "the date of what stays as it is": (
        "a resume whose hold comes last",
        lambda patch: patch.setattr(folding, "laid_over", dateless),
    ),
    "the memory of versions of one date": (
        "hold and resume of one date, the hold again",
        lambda patch: patch.setattr(versions, "superseded", lambda resource: set()),
    ),
    "the stop that is never outdated": (
        "an end that comes after the order was sent again",
        lambda patch: patch.setattr(cases, "_is_called_off", lambda case, event, placed: False),
    ),
    "the succession of orders": (
        "a replacement of what we do not have yet",
        lambda patch: patch.setattr(succession, "_names", lambda new, old: False),
    ),
    "the waking of the other record": (
        "a merge before the other record is known",
        lambda patch: patch.setattr(coordinator, "rousing", lambda decision, facts: decision),
    ),
}


def dateless(stored: Resource | None, received: Resource, *, matched: bool = False) -> Resource:
    """As `laid_over`, but what says the same keeps the date it had."""
    same = stored is not None and bare(stored) == bare(received)
    return stored if same and stored is not None else laid_over(stored, received, matched=matched)


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_without_one_protection_the_end_is_another(
    protection: str, compared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, switched_off = PROTECTIONS[protection]
    switched_off(monkeypatch)
    found, wanted = compared(*ARRIVED[name])
    assert found != wanted
