"""A deployment that tests disturb: killed at a failpoint, restarted by itself, its partners told to fail."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks import harness


@dataclass(frozen=True, slots=True)
class Death:
    """A process that died: which, its exit code (-9: killed), and how many visits were booked by then."""

    name: str
    code: int
    booked: int


class Deployment(harness.Deployment):
    """See `benchmarks.harness.Deployment`; `deaths` tells which processes died since `keep_alive`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.deaths: list[Death] = []
        self._deadly: dict[str, list[str]] = {}
        self._watch: asyncio.Task[None] | None = None
        self.down: set[str] = set()
        """Processes that are not restarted for now."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"CAREPOD_UNDER_TEST": "1"}

    async def start(self, failpoints: Mapping[str, Sequence[str]] | None = None) -> None:
        """As ever; a process with failpoints (`name` or `name:n`) kills itself at each of them, one in each life."""
        self._deadly = {name: list(points) for name, points in (failpoints or {}).items()}
        await super().start()

    def launch(self, name: str, extra: Mapping[str, str] | None = None) -> None:
        deadly = self._deadly.get(name)
        super().launch(name, {**(extra or {}), **({"CAREPOD_FAILPOINT": deadly.pop(0)} if deadly else {})})

    def arm(self, name: str, points: Sequence[str]) -> None:
        """The next lives of a process end at these failpoints, one in each."""
        self._deadly[name] = list(points)

    def keep_alive(self) -> None:
        """From now on restarts whatever dies, with the next of its failpoints while there is one."""
        self._watch = asyncio.create_task(self._kept_alive(), name="keep alive")

    async def _kept_alive(self) -> None:
        while True:
            for name in self.names:
                code = self.processes[name].poll()
                if code is not None and name not in self.down:
                    self.deaths.append(Death(name, code, await self.booked()))
                    self.launch(name)
            await asyncio.sleep(0.05)

    async def booked(self) -> int:
        """How many visits are booked now."""
        sql = "select count(*) from search where type = 'Appointment' and parameter = 'status' and value = 'booked'"
        return int((await self.rows("scheduling", sql))[0][0])

    def has_ended(self, name: str) -> bool:
        return super().has_ended(name) and self._watch is None

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].send_signal(signal.SIGKILL)

    async def repair(self, partner: str) -> None:
        """Takes back the failures ordered of a partner and not used up."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0, verify=harness.PLAIN) as http:
            (await http.post(f"{self.partners_url}/{partner}/debug/repair")).raise_for_status()

    async def release(self, payer: str, claim: str) -> None:
        """Has a payer decide now what it pended."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0, verify=harness.PLAIN) as http:
            url = f"{self.partners_url}/payer/{payer}/debug/release/{claim}"
            (await http.post(url)).raise_for_status()

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        await super().stop()

    async def fail(self, partner: str, **how: Any) -> None:
        """Tells a partner how to fail next."""
        async with httpx.AsyncClient(trust_env=False, timeout=30.0, verify=harness.PLAIN) as http:
            (await http.post(f"{self.partners_url}/{partner}/debug/fail", json=how)).raise_for_status()
