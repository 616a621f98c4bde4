"""The Tasks an EHR was sent: every version of each, in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partners.clock import instant
from partners.store import Store
from partners.wire import decoded, dumps, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS task (
  id TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, received INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (id, version));
"""


class Tasks:
    """The Tasks of one EHR by the sender's id."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, task: dict[str, Any], condition: Mapping[str, str], at: datetime) -> tuple[sqlite3.Row, bool]:
        """Stores a version and says whether it is the first. The same content again is counted, not stored anew.

        `condition` holds the headers of the request. Raises Refused (412) where `If-Match` names another version than
        the current one, or `If-None-Match` is `*` and there is one.
        """
        with self._store.transaction():
            current = self.current(task["id"])
            if_match = condition.get("if-match")
            if if_match is not None and (current is None or if_match != etag(current)):
                refuse(412, "conflict", "If-Match must name the current version")
            if condition.get("if-none-match") == "*" and current is not None:
                refuse(412, "conflict", "there is a version already")
            body = dumps(task)
            if current is not None and current["body"] == body:
                sql = "UPDATE task SET received = received + 1 WHERE id = ? AND version = ?"
                self._store.run(sql, task["id"], current["version"])
            else:
                version = 1 if current is None else current["version"] + 1
                self._store.run("INSERT INTO task VALUES (?, ?, ?, 1, ?)", task["id"], version, instant(at), body)
            stored = self._store.rows(_CURRENT, task["id"])[0]
        return stored, current is None

    def current(self, task_id: str) -> sqlite3.Row | None:
        return self._store.row(_CURRENT, task_id)

    def listing(self) -> list[dict[str, Any]]:
        """Every version of every Task, for a test."""
        rows = self._store.rows("SELECT * FROM task ORDER BY rowid")
        return [{"id": r["id"], "version": r["version"], "received": r["received"], "task": shown(r)} for r in rows]


_CURRENT = "SELECT * FROM task WHERE id = ? ORDER BY version DESC LIMIT 1"


def etag(row: sqlite3.Row) -> str:
    return f'W/"{row["version"]}"'


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A stored version with the EHR's own version and time in its meta."""
    task = decoded(row["body"])
    meta = {**task.get("meta", {}), "versionId": str(row["version"]), "lastUpdated": row["at"]}
    return {**task, "meta": meta}
