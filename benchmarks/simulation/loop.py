"""An event loop of simulated time, in which chance picks what runs next and a process can die at any of its steps."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

STEP = 1e-5
"""Seconds one step takes: however little is done, time goes on."""

Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class Life:
    """One process from its start to its death; whatever runs in its context dies with it."""

    name: str
    number: int = 1
    alive: bool = True
    steps: int = 0
    doomed_at: int = -1
    """The step at which it dies, counted from its start."""
    frozen: bool = False
    """Stopped where it stands, as by SIGSTOP: it keeps what it has and takes no step."""
    kept: list[asyncio.Handle] = field(default_factory=list)
    """Steps it would have taken meanwhile."""
    skew: float = 0.0
    """Seconds by which its clock is wrong."""
    ends: list[Callable[[], None]] = field(default_factory=list)
    """What the world does at its death: connections close, locks go."""


_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


def current() -> Life | None:
    """The life in which this code runs."""
    return _LIFE.get()


def living(life: Life | None) -> contextvars.Context:
    """A context of this life."""
    context = contextvars.Context()
    context.run(_LIFE.set, life)
    return context


class _Task(asyncio.Task[Any]):
    """A task that knows whose it is."""

    __slots__ = ("life",)
    life: Life | None


class SimulatedLoop(asyncio.BaseEventLoop):
    """`time()` jumps to the next timer when nothing is ready; of what is ready, chance draws one.

    A step of a dead life is never taken: no `finally` of it runs, as after kill -9.
    """

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance, self._seconds = chance, 0.0
        self._ready: list[asyncio.Handle] = []
        self._scheduled: list[asyncio.TimerHandle]
        self._graves: list[Any] = []
        self.steps = 0
        self.failures: list[BaseException | str] = []
        """What ended in no one's hands."""
        self.idle: Callable[[], float | None] | None = None
        """Asked whenever nothing is ready and the next timer is known: seconds by which time may jump over polls."""
        self.set_task_factory(self._made)
        self.set_exception_handler(self._unhandled)

    def time(self) -> float:
        return self._seconds

    def jump(self, seconds: float) -> None:
        """Lets time pass in which nobody gets to do anything, as when a machine was suspended."""
        self._seconds += seconds

    def kill(self, life: Life) -> None:
        """Ends a life here and now."""
        if not life.alive:
            return
        life.alive = False
        # Kept, so that nothing of it is finalised: a coroutine that is collected runs its `finally` blocks.
        self._graves.append([t for t in asyncio.all_tasks(self) if getattr(t, "life", None) is life])
        for ended in life.ends:
            ended()

    def thaw(self, life: Life) -> None:
        """Lets a frozen life go on where it stood."""
        life.frozen, kept = False, life.kept
        life.kept = []
        self._ready += kept

    def spawn(self, work: Coroutine[Any, Any, Result], life: Life | None, name: str) -> asyncio.Task[Result]:
        """Starts work in a life."""
        return self.create_task(work, name=name, context=living(life))

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """There are no threads: what would run in one runs here, at once, and is told of later."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future

    def _made(
        self, loop: asyncio.AbstractEventLoop, work: Any, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        task = _Task(work, loop=loop, context=context)
        task.life = current() if context is None else context.get(_LIFE)
        return task

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, said: dict[str, Any]) -> None:
        self.failures.append(said.get("exception") or said.get("message", ""))

    def _run_once(self) -> None:
        ready, chance = self._ready, self._chance
        while not self._stopping:  # type: ignore[attr-defined]
            if not ready:
                self._wait()
            self._due()
            if not ready:
                continue
            last = len(ready) - 1
            drawn = int(chance.random() * (last + 1))
            handle = ready[drawn]
            ready[drawn] = ready[last]
            ready.pop()
            if handle._cancelled:
                continue
            life = handle._context.get(_LIFE)  # type: ignore[attr-defined]
            if life is not None:
                if not life.alive:
                    self._graves.append(handle)
                    continue
                if life.frozen:
                    life.kept.append(handle)
                    continue
                life.steps += 1
                if life.steps == life.doomed_at:
                    self._graves.append(handle)
                    self.kill(life)
                    continue
            self.steps += 1
            self._seconds += STEP
            handle._run()

    def _wait(self) -> None:
        """Goes on to the next timer."""
        while self._scheduled and (self._scheduled[0]._cancelled or _is_dead(self._scheduled[0])):
            gone = heapq.heappop(self._scheduled)
            gone._scheduled = False  # type: ignore[attr-defined]
            self._graves.append(gone)
        if not self._scheduled:
            raise RuntimeError("nothing will ever happen again: every task waits for another")
        if self.idle is not None and (jump := self.idle()):
            self._seconds += jump
        self._seconds = max(self._seconds, self._scheduled[0].when())

    def _due(self) -> None:
        scheduled, now = self._scheduled, self._seconds
        while scheduled and scheduled[0].when() <= now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            if not handle._cancelled:
                self._ready.append(handle)

    def _write_to_self(self) -> None:
        """Nobody else's thread wakes this loop."""


def _is_dead(handle: asyncio.Handle) -> bool:
    life = handle._context.get(_LIFE)  # type: ignore[attr-defined]
    return life is not None and not life.alive
