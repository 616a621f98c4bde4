"""An agency at work: takes each request once, answers by its rules, comes, reports the visit, or calls it off."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import Request
from starlette.responses import Response

from partners.agency.rules import CODES, Rules, Verdict, decided, resource
from partners.backend import TokenRefused
from partners.clock import Clock, instant
from partners.faults import Faults
from partners.keys import PrivateKey
from partners.store import Store
from partners.telling import Customer, Telling, settled
from partners.timers import Timers
from partners.tokens import Tokens
from partners.wire import Issue, answer, decoded, dumps, outcome, refuse, resource_model

SCHEMA = """
CREATE TABLE IF NOT EXISTS visit (
  task TEXT PRIMARY KEY, received INTEGER NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  begins TEXT, ends TEXT, attempts INTEGER NOT NULL DEFAULT 0, answer INTEGER);
CREATE TABLE IF NOT EXISTS arranged (id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL);
"""
OPERATIONS = frozenset({"token", "visits"})
SCOPE = "system/Task.ru"
TAKEN_ON = ("accepted", "completed")


class Agency:
    """One agency: its rules, the visits it was asked for, its key, its customer."""

    def __init__(
        self,
        agency: str,
        store: Store,
        *,
        rules: Rules,
        tokens: Tokens,
        key: PrivateKey,
        customer: Customer,
        http: httpx.AsyncClient,
        now: Clock,
        answers_after: timedelta,
    ) -> None:
        self.name, self.key = agency, key
        self.tokens, self._rules, self._store, self._now = tokens, rules, store, now
        self._answers_after = answers_after
        self._telling = Telling(customer, key, http, now, SCOPE)
        self.faults = Faults(store, OPERATIONS)
        self.timers = Timers(store, now, self._told)

    async def request(self, asked: Request, body: bytes) -> Response:
        """Takes a request: 201 the first time, 200 for the same again, or for one taken back."""
        self.tokens.require(asked, "Task", "c", "u")
        task = _checked(body)
        with self._store.transaction():
            said, status = self._taken(task, body.decode())
        return answer(outcome([Issue("informational", said)], "information"), status)

    def _taken(self, task: dict[str, Any], body: str) -> tuple[str, int]:
        sql = "UPDATE visit SET received = received + 1 WHERE task = ? RETURNING status"
        known = self._store.row(sql, task["id"])
        if task["status"] == "cancelled":
            return self._taken_back(task["id"], body, known), 200
        if known is not None:
            return "this visit is known", 200
        self._store.run("INSERT INTO visit (task, received, body, status) VALUES (?, 1, ?, 'asked')", task["id"], body)
        self.timers.set("answer", task["id"], self._now() + self._answers_after)
        return "this visit will be answered", 201

    def _taken_back(self, task: str, body: str, known: sqlite3.Row | None) -> str:
        """Nobody goes any more, and nothing is said of it."""
        if known is None:
            sql = "INSERT INTO visit (task, received, body, status) VALUES (?, 1, ?, 'withdrawn')"
            self._store.run(sql, task, body)
        elif known["status"] != "completed":
            self._store.run("UPDATE visit SET status = 'withdrawn' WHERE task = ?", task)
        for kind in ("answer", "report"):
            self.timers.clear(kind, task)
        return "this visit is taken back"

    # What it says later

    async def _told(self, kind: str, task: str) -> bool:
        """Answers, reports, or calls off; True once the practice has taken it or refused it for good."""
        row = self._row(task)
        if kind == "answer" and row["status"] == "asked" and not self._judged(row):
            return True
        word = _said(self._row(task), kind)
        try:
            answered = await self._telling.put(f"Task/{task}", dumps(word))
        except (httpx.HTTPError, TokenRefused):
            return self._noted(task, word["status"], None)
        return self._noted(task, word["status"], answered)

    def _judged(self, row: sqlite3.Row) -> bool:
        """Decides once, so that every attempt says the same; False where it stays silent."""
        verdict = self._arranged() or decided(decoded(row["body"]), self._rules, self._visits(), self._now())
        if verdict.reason == "silent":
            self._keep(row["task"], "silent", verdict)
            return False
        self._keep(row["task"], "rejected" if verdict.reason else "accepted", verdict)
        if verdict.ends is not None:
            self.timers.set("report", row["task"], verdict.ends)
        return True

    def _arranged(self) -> Verdict | None:
        """What a test has arranged for the next request."""
        row = self._store.row("DELETE FROM arranged WHERE id = (SELECT min(id) FROM arranged) RETURNING *")
        return None if row is None else Verdict(reason=row["reason"])

    def _visits(self) -> list[tuple[datetime, datetime]]:
        rows = self._store.rows("SELECT begins, ends FROM visit WHERE status = 'accepted'")
        return [(datetime.fromisoformat(r["begins"]), datetime.fromisoformat(r["ends"])) for r in rows]

    def _keep(self, task: str, status: str, verdict: Verdict) -> None:
        sql = "UPDATE visit SET status = ?, reason = ?, begins = ?, ends = ? WHERE task = ?"
        times = (t.isoformat() if t else None for t in (verdict.begins, verdict.ends))
        self._store.run(sql, status, verdict.reason or None, *times, task)

    def _noted(self, task: str, status: str, answered: httpx.Response | None) -> bool:
        """Keeps how an attempt went; a visit the practice does not want any more is lost, and nobody goes."""
        done = answered is not None and settled(answered)
        if done and answered is not None and not _agrees(answered, status):
            self._store.run("UPDATE visit SET status = 'lost' WHERE task = ?", task)
            self.timers.clear("report", task)
        elif done and status == "completed":
            self._store.run("UPDATE visit SET status = 'completed' WHERE task = ?", task)
        sql = "UPDATE visit SET attempts = attempts + 1, answer = ? WHERE task = ?"
        self._store.run(sql, answered.status_code if answered is not None else None, task)
        return done

    def _row(self, task: str) -> sqlite3.Row:
        return self._store.rows("SELECT * FROM visit WHERE task = ?", task)[0]

    # What a test may ask and arrange

    def arrange(self, reason: str) -> None:
        """The next request is refused for this reason, or (`silent`) never answered."""
        self._store.run("INSERT INTO arranged (reason) VALUES (?)", reason)

    def call_off(self, task: str) -> bool:
        """Calls off a visit it has taken on; False where it has not."""
        sql = "UPDATE visit SET status = 'called-off', reason = 'capacity' WHERE task = ? AND status = 'accepted'"
        if not self._store.run(sql, task):
            return False
        self.timers.clear("report", task)
        self.timers.set("call-off", task, self._now())
        return True

    def report(self, task: str) -> bool:
        """Reports a visit now, as if it had been made; False where it has taken on none."""
        row = self._store.row("SELECT task FROM visit WHERE task = ? AND status = 'accepted'", task)
        if row is not None:
            self.timers.set("report", task, self._now())
        return row is not None

    def listing(self) -> list[dict[str, Any]]:
        """Ids, counts and statuses, and nothing of a patient."""
        shown = ("task", "received", "status", "reason", "begins", "ends", "attempts", "answer")
        return [{k: row[k] for k in shown} for row in self._store.rows("SELECT * FROM visit ORDER BY rowid")]


def _agrees(answered: httpx.Response, status: str) -> bool:
    """Whether the practice has taken what was said: its Task, where it shows one, then stands so."""
    if not answered.is_success:
        return False
    shown = decoded(answered.content) if answered.content else {}
    return status == "cancelled" or shown.get("status", status) == status


def _said(row: sqlite3.Row, kind: str) -> dict[str, Any]:
    """The practice's own Task with the agency's word: a time, or a reason."""
    task = resource(decoded(row["body"]), "Task")
    status = {"report": "completed", "call-off": "cancelled"}.get(kind, row["status"])
    if status in TAKEN_ON:
        begins, ends = (instant(datetime.fromisoformat(row[k])) for k in ("begins", "ends"))
        time = {"type": _concept("agency-visit-output", "visit-time"), "valuePeriod": {"start": begins, "end": ends}}
        return {**task, "status": status, "output": [time]}
    return {**task, "status": status, "statusReason": _concept("agency-visit-reason", row["reason"])}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": CODES + system, "code": code}]}


def _checked(body: bytes) -> dict[str, Any]:
    """The Task of a request. Raises Refused (400) naming what is missing."""
    request = decoded(body)
    model = resource_model(request, "Bundle")
    if model.type != "collection":
        refuse(400, "invalid", "the Bundle must be a collection", "Bundle.type")
    task = resource(request, "Task")
    taken_back = task.get("status") == "cancelled"
    for wanted in ("Task",) if taken_back else ("Task", "ServiceRequest", "Patient"):
        if not resource(request, wanted).get("id"):
            refuse(400, "required", f"the Bundle must hold one {wanted} with an id", "Bundle.entry")
    if task["status"] not in ("requested", "accepted", "cancelled"):
        refuse(400, "business-rule", "the Task must be requested or cancelled", "Task.status")
    if "period" not in task.get("restriction", {}):
        refuse(400, "required", "the Task must say the days asked for", "Task.restriction.period")
    return task
