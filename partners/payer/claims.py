"""The Claims a payer has seen: one row per Claim.identifier, whatever was sent how often, with every answer it gave."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from partners.payer.information import Attached, Request
from partners.payer.verdicts import Verdict
from partners.store import Store
from partners.wire import decoded, dumps

SCHEMA = """
CREATE TABLE IF NOT EXISTS claim (
  identifier TEXT PRIMARY KEY, value TEXT NOT NULL, number TEXT NOT NULL UNIQUE, received INTEGER NOT NULL,
  request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answer (
  identifier TEXT NOT NULL, version INTEGER NOT NULL, verdicts TEXT NOT NULL, bundle TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (identifier, version));
CREATE TABLE IF NOT EXISTS cancellation (
  identifier TEXT PRIMARY KEY, of TEXT NOT NULL, received INTEGER NOT NULL, bundle TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS more (
  tracking TEXT PRIMARY KEY, identifier TEXT NOT NULL, request TEXT NOT NULL, received INTEGER NOT NULL DEFAULT 0,
  resources TEXT);
CREATE TABLE IF NOT EXISTS revision (identifier TEXT PRIMARY KEY, of TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY, identifier TEXT NOT NULL, version INTEGER NOT NULL, bundle TEXT NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0, settled TEXT, UNIQUE (identifier, version));
"""


def identity(claim: dict[str, Any]) -> str:
    """`system|value` of the Claim's first identifier."""
    first = claim["identifier"][0]
    return f"{first['system']}|{first['value']}"


class Claims:
    """The rows of one payer; callers hold a transaction where several belong together."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def again(self, identifier: str) -> str | None:
        """Counts one more submission of a known Claim and returns its current answer; None for a new one."""
        if not self._store.run("UPDATE claim SET received = received + 1 WHERE identifier = ?", identifier):
            return None
        return self.current(identifier)

    def cancelled_again(self, identifier: str) -> str | None:
        """Counts one more of a known cancellation and returns what was answered to it; None for a new one."""
        self._store.run("UPDATE cancellation SET received = received + 1 WHERE identifier = ?", identifier)
        row = self._store.row("SELECT bundle FROM cancellation WHERE identifier = ?", identifier)
        return None if row is None else str(row["bundle"])

    def cancelled(self, identifier: str, of: str, bundle: dict[str, Any]) -> str:
        """Stores what was answered to a new cancellation of a Claim, and returns it as JSON text."""
        text = dumps(bundle)
        self._store.run("INSERT INTO cancellation VALUES (?, ?, 1, ?)", identifier, of, text)
        return text

    def add(self, identifier: str, value: str, number: str, request: str) -> None:
        self._store.run("INSERT INTO claim VALUES (?, ?, ?, 1, ?)", identifier, value, number, request)

    def current(self, identifier: str) -> str | None:
        """The latest answer Bundle as JSON text."""
        row = self._latest(identifier)
        return None if row is None else str(row["bundle"])

    def _latest(self, identifier: str) -> sqlite3.Row | None:
        sql = "SELECT * FROM answer WHERE identifier = ? ORDER BY version DESC LIMIT 1"
        return self._store.row(sql, identifier)

    def answered(self, identifier: str, verdicts: Sequence[Verdict], bundle: dict[str, Any], at: datetime) -> int:
        """Stores one more answer and returns its version."""
        version = self.versions(identifier) + 1
        stored = json.dumps([v.stored() for v in verdicts])
        values = (identifier, version, stored, dumps(bundle), at.isoformat())
        self._store.run("INSERT INTO answer VALUES (?, ?, ?, ?, ?)", *values)
        return version

    def versions(self, identifier: str) -> int:
        row = self._latest(identifier)
        return 0 if row is None else int(row["version"])

    def verdicts(self, identifier: str) -> tuple[Verdict, ...]:
        """The verdicts of the latest answer."""
        row = self._latest(identifier)
        return () if row is None else tuple(Verdict.restored(v) for v in json.loads(row["verdicts"]))

    def request(self, identifier: str) -> tuple[str, dict[str, Any]]:
        """The payer's number of a Claim and the request Bundle as it was received."""
        row = self._store.rows("SELECT number, request FROM claim WHERE identifier = ?", identifier)[0]
        return row["number"], decoded(row["request"])

    def revises(self, identifier: str, of: str) -> None:
        """Stores that a new Claim changes an earlier one."""
        self._store.run("INSERT INTO revision VALUES (?, ?)", identifier, of)

    def asked_for(self, identifier: str, requests: Sequence[Request]) -> None:
        """Stores what more is wanted of a Claim."""
        for request in requests:
            values = (request.tracking, identifier, json.dumps(request.stored()))
            self._store.run("INSERT INTO more (tracking, identifier, request) VALUES (?, ?, ?)", *values)

    def lacking(self, identifier: str) -> list[Request]:
        """What is wanted of a Claim and has not come."""
        sql = "SELECT request FROM more WHERE identifier = ? AND resources IS NULL ORDER BY tracking"
        return [Request(**json.loads(row["request"])) for row in self._store.rows(sql, identifier)]

    def brought(self, attached: Attached) -> tuple[str, Request, bool] | None:
        """The Claim and the request for more that a call answers, counted, and whether it is new; None if unknown."""
        self._store.run("UPDATE more SET received = received + 1 WHERE tracking = ?", attached.tracking)
        row = self._store.row("SELECT * FROM more WHERE tracking = ?", attached.tracking)
        if row is None:
            return None
        return str(row["identifier"]), Request(**json.loads(row["request"])), row["resources"] is None

    def keep(self, attached: Attached) -> None:
        values = (dumps({"entry": list(attached.resources)}), attached.tracking)
        self._store.run("UPDATE more SET resources = ? WHERE tracking = ?", *values)

    def attachments(self, identifier: str) -> list[dict[str, Any]]:
        """Every resource that was attached to a Claim."""
        sql = "SELECT resources FROM more WHERE identifier = ? AND resources IS NOT NULL ORDER BY tracking"
        return [r for row in self._store.rows(sql, identifier) for r in decoded(row["resources"])["entry"]]

    def called(self, value: str) -> list[str]:
        """The identities of the Claims whose identifier has this value."""
        sql = "SELECT identifier FROM claim WHERE value = ? OR identifier = ?"
        return [row["identifier"] for row in self._store.rows(sql, value, value)]

    def happened(self, number: int, identifier: str, version: int, bundle: dict[str, Any]) -> None:
        """Stores one notification to send."""
        sql = "INSERT INTO event (number, identifier, version, bundle) VALUES (?, ?, ?, ?)"
        self._store.run(sql, number, identifier, version, dumps(bundle))

    def event(self, number: int) -> str:
        return str(self._store.rows("SELECT bundle FROM event WHERE number = ?", number)[0]["bundle"])

    def told(self, number: int, settled: str | None) -> None:
        """Counts one attempt at a notification; `settled` is the instant it was taken."""
        self._store.run(
            "UPDATE event SET sent = sent + 1, settled = coalesce(?, settled) WHERE number = ?", settled, number
        )

    def listing(self) -> list[dict[str, Any]]:
        """What a test may ask: identities, counts and actions, and nothing of a patient."""
        return [self._listed(row) for row in self._store.rows("SELECT * FROM claim ORDER BY rowid")]

    def _listed(self, row: sqlite3.Row) -> dict[str, Any]:
        system = row["identifier"].removesuffix("|" + row["value"])
        answers = self._store.rows("SELECT * FROM answer WHERE identifier = ? ORDER BY version", row["identifier"])
        cancelled = self._store.rows("SELECT * FROM cancellation WHERE of = ? ORDER BY rowid", row["identifier"])
        attached = self._store.rows("SELECT * FROM more WHERE identifier = ? ORDER BY tracking", row["identifier"])
        updates = self._store.rows("SELECT of FROM revision WHERE identifier = ?", row["identifier"])
        events = self._store.rows("SELECT * FROM event WHERE identifier = ? ORDER BY number", row["identifier"])
        return {
            "identifier": {"system": system, "value": row["value"]},
            "number": row["number"],
            "received": row["received"],
            "answers": [_answered(a) for a in answers],
            "cancellations": [{"identifier": c["identifier"], "received": c["received"]} for c in cancelled],
            "updates": [row["of"].rpartition("|")[2] for row in updates],
            "attachments": [{"wanted": a["tracking"], "received": a["received"]} for a in attached],
            "notifications": [{"event": e["number"], "sent": e["sent"], "settled": e["settled"]} for e in events],
        }


def _answered(row: sqlite3.Row) -> dict[str, Any]:
    verdicts = json.loads(row["verdicts"])
    return {
        "version": row["version"],
        "at": row["at"],
        "actions": [v["action"] for v in verdicts],
        "reasons": [r["code"] for v in verdicts for r in v["reasons"]],
    }
