"""Timers run when they are due, again after growing gaps while they are not settled, and not after they are cleared."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from partners.store import Store
from partners.timers import Timers, gap


@pytest.mark.parametrize(("attempt", "seconds"), [(0, 0.5), (1, 1), (5, 16), (6, 30), (1000, 30)])
def test_the_gap_doubles_up_to_half_a_minute(attempt: int, seconds: float) -> None:
    assert gap(attempt) == timedelta(seconds=seconds)


class Work:
    """Work that is settled once it has been tried `needed` times."""

    def __init__(self, needed: int = 1) -> None:
        self.needed, self.done = needed, list[str]()
        self.ended = asyncio.Event()

    async def __call__(self, _kind: str, key: str) -> bool:
        self.done.append(key)
        if len(self.done) >= self.needed:
            self.ended.set()
        return len(self.done) >= self.needed


async def test_timers_run_in_the_order_they_fall_due(tmp_path: Path, now: Any) -> None:
    work = Work()
    timers = Timers(Store(tmp_path / "a.sqlite", ""), now, work)
    for key, seconds in (("late", 2), ("early", 1), ("later", 3)):
        timers.set("x", key, now() + timedelta(seconds=seconds))
    timers.clear("x", "later")
    now.pass_seconds(5)
    assert (await timers.tick(), work.done, await timers.tick()) == (2, ["early", "late"], 0)


async def test_running_by_themselves_they_try_until_settled(
    tmp_path: Path, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partners.timers.FIRST_GAP_SECONDS", 0.0)
    work = Work(needed=3)
    timers = Timers(Store(tmp_path / "a.sqlite", ""), now, work)
    timers.start()
    timers.set("x", "key", now())
    await asyncio.wait_for(work.ended.wait(), 5)
    await timers.stop()
    assert work.done == ["key"] * 3


@pytest.mark.parametrize("steps", range(5))
async def test_they_stop_though_a_timer_was_just_set(tmp_path: Path, now: Any, steps: int) -> None:
    timers = Timers(Store(tmp_path / "a.sqlite", ""), now, Work())
    timers.set("x", "far", now() + timedelta(days=1))
    timers.start()
    await asyncio.sleep(0)
    timers.set("x", "farther", now() + timedelta(days=2))
    for _ in range(steps):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(timers.stop())
    done, _ = await asyncio.wait({stopping}, timeout=5)
    assert done


async def test_a_timer_set_while_they_rest_is_not_overslept(tmp_path: Path, now: Any) -> None:
    work = Work()
    timers = Timers(Store(tmp_path / "a.sqlite", ""), now, work)
    timers.set("x", "far", now() + timedelta(days=1))
    timers.start()
    await asyncio.sleep(0)
    timers.set("x", "near", now())
    await asyncio.wait_for(work.ended.wait(), 5)
    await timers.stop()
    assert work.done == ["near"]
