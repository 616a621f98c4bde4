"""Those who send referrals and change them, and the practice's people who answer what they are asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

import httpx

from benchmarks.cases import Template, placer
from benchmarks.simulation.plan import Item, Plan
from benchmarks.simulation.therapies import Change, example_of, paid_by, treated
from benchmarks.simulation.world import DESK, World
from shared.core import CANONICAL, TryLater

AGAIN = 1.0
"""Seconds after which a sender sends again what nobody took."""
ANSWERS: dict[str, str] = {
    "order-changed": "keep", "payer-contradicts": "keep", "payer-late": "inquired", "no-criteria": "submit",
    "decision-due": "inquired", "expedited-unsupported": "standard",
    "held-authorization-differs": "confirmed", "held-authorization-unknown": "confirmed",
    "home-partly-paid": "accepted", "benefit-refused-by-payer": "resubmit", "benefit-unreadable": "resubmit",
    "preauthorization-refused-by-payer": "resubmit", "preauthorization-unreadable": "resubmit",
    "order-verification": "confirmed", "hold-unanswered": "confirmed", "requirement-lost": "confirmed",
    "rems-check": "confirmed",
}  # fmt: skip
"""What a person says to a question of each code."""


@dataclass
class People:
    """Everybody outside. `accepted` are the referrals a sender was told are taken."""

    world: World
    plan: Plan
    accepted: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    answered: int = 0

    async def refers(self, item: Item) -> None:
        """Pushes one referral at its time, then does with it what is planned."""
        await asyncio.sleep(item.at)
        changes = treated(item.what, item.number, self.world.begins.date()) + paid_by(item.payer)
        await self._pushed(item, changes)
        begun = self.world.loop.time()
        for later in sorted((u for u in self.plan.of("u") if u.number == item.number), key=lambda u: u.at):
            await asyncio.sleep(max(0.0, begun + later.at - self.world.loop.time()))
            changes += CHANGES[later.what](later)
            await self._pushed(item, changes)
            if later.what == "cancel":
                # What was taken back stays so: the practice refuses any later word on it.
                return

    async def _pushed(self, item: Item, changes: list[Change]) -> None:
        def changed(bundle: dict[str, Any]) -> None:
            bundle["timestamp"] = self.world.now().isoformat()
            for change in changes:
                change(bundle)

        body = Template(self.world.begins.date(), example_of(item.what), changed).referral(
            item.number, item.site or "riverside"
        )
        answer = await self._until_taken("POST", "/fhir", body)
        if answer.status_code == 200:
            self.accepted.add(item.number)
        else:
            self.refused.append(f"{placer(item.number)}: {answer.status_code} {answer.text[:300]}")

    async def _until_taken(self, method: str, path: str, body: bytes, client: str = "mercy-ehr") -> httpx.Response:
        """An answer that is about what was sent: whatever else comes, the same is sent again."""
        while True:
            try:
                answer = await self.world.asked(method, path, body, client)
                if answer.status_code < 500 and answer.status_code not in (401, 429):
                    return answer
            except (httpx.HTTPError, TryLater):
                pass
            await asyncio.sleep(AGAIN)

    async def answers(self, every: float) -> None:
        """A person who looks at what is asked, again and again, and answers some of it."""
        while True:
            await asyncio.sleep(every)
            for service in self.world.names:
                for question in self._questions(service):
                    await self._answered(question)

    def _questions(self, service: str) -> list[dict[str, Any]]:
        sql = "select body from resource where type = 'Task' and owner = $1 and body like '%\"requested\"%' order by id"
        tasks = [json.loads(r[0]) for r in self.world.rows(service, sql, service)]
        return [t for t in tasks if t["status"] == "requested" and self._will_answer(t)]

    def _will_answer(self, task: dict[str, Any]) -> bool:
        """The same person answers the same question in the same way, whatever else happened."""
        return _code(task) in ANSWERS and Random(f"{self.plan.seed} {task['id']}").random() < 0.7

    async def _answered(self, task: dict[str, Any]) -> None:
        coding = {"system": CANONICAL + "CodeSystem/answer", "code": ANSWERS[_code(task)]}
        said = {**task, "status": "completed", "output": [{"type": {"coding": [coding]}, "valueBoolean": True}]}
        answer = await self._until_taken("PUT", f"/fhir/Task/{task['id']}", json.dumps(said).encode(), DESK)
        if answer.status_code == 200:
            self.answered += 1


def _code(task: dict[str, Any]) -> str:
    return next((c["code"] for i in task.get("input", ()) for c in i["type"].get("coding", ())), "")


# What a sender does later


def _entries(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def _order_is(**elements: Any) -> Change:
    return lambda bundle: _entries(bundle, "ServiceRequest")[0].update(elements)


def _later(item: Item) -> list[Change]:
    def changed(bundle: dict[str, Any]) -> None:
        period = _entries(bundle, "ServiceRequest")[0]["occurrencePeriod"]
        for end, day in list(period.items()):
            period[end] = (date.fromisoformat(day[:10]) + timedelta(days=int(item.amount))).isoformat()

    return [changed]


def _dose(item: Item) -> list[Change]:
    def changed(bundle: dict[str, Any]) -> None:
        for instruction in _entries(bundle, "MedicationRequest")[0]["dosageInstruction"]:
            instruction["doseAndRate"][0]["doseQuantity"]["value"] = int(item.amount)

    return [changed]


CHANGES: dict[str, Callable[[Item], list[Change]]] = {
    "again": lambda _: [],
    "later": _later,
    "dose": _dose,
    "hold": lambda _: [_order_is(status="on-hold")],
    "resume": lambda _: [_order_is(status="active")],
    "cancel": lambda _: [_order_is(status="revoked")],
}
