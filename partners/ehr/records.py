"""The records an EHR keeps and lets others read: by id, and by a few searches; and what its Subscription has told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partners.store import Store
from partners.wire import decoded, dumps

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (type, id));
CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, at TEXT NOT NULL, focus TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reading (path TEXT PRIMARY KEY, times INTEGER NOT NULL);
"""
_SUBJECTS = ("subject", "patient", "beneficiary", "for")


class Records:
    """The records of one EHR."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, resource: Mapping[str, Any], at: str) -> None:
        """Keeps a new version of a record under its own id."""
        sql = (
            "INSERT INTO record VALUES (?, ?, 1, ?, ?) "
            "ON CONFLICT (type, id) DO UPDATE SET version = version + 1, at = excluded.at, body = excluded.body"
        )
        self._store.run(sql, resource["resourceType"], resource["id"], at, dumps(resource))

    def remove(self, kind: str, resource_id: str) -> None:
        """Forgets a record."""
        self._store.run("DELETE FROM record WHERE type = ? AND id = ?", kind, resource_id)

    def read(self, kind: str, resource_id: str) -> dict[str, Any] | None:
        """The current version of a record, with the EHR's own version and time."""
        row = self._store.row("SELECT * FROM record WHERE type = ? AND id = ?", kind, resource_id)
        return None if row is None else _shown(row)

    def of_patient(self, kind: str, patient: str, category: str | None, status: str | None) -> list[dict[str, Any]]:
        """Records of one type about one patient, in the order of their ids."""
        rows = self._store.rows("SELECT * FROM record WHERE type = ? ORDER BY id", kind)
        found = [r for r in map(_shown, rows) if _patient(r) == patient]
        return [r for r in found if status in (None, r.get("status")) and _in_category(r, category)]

    def count(self, path: str) -> None:
        """Counts one request, whatever it is answered."""
        sql = "INSERT INTO reading VALUES (?, 1) ON CONFLICT (path) DO UPDATE SET times = times + 1"
        self._store.run(sql, path)

    def counts(self) -> dict[str, int]:
        """How often each path was asked for."""
        return {r["path"]: r["times"] for r in self._store.rows("SELECT * FROM reading ORDER BY path")}

    def told(self, focus: str, at: str) -> int:
        """The number of a new event of the Subscription."""
        number = self._store.count("event")
        self._store.run("INSERT INTO event VALUES (?, ?, ?)", number, at, focus)
        return number

    def latest(self) -> int:
        """The number of the latest event, 0 before the first."""
        return int(self._store.rows("SELECT coalesce(max(number), 0) AS latest FROM event")[0]["latest"])

    def events(self, since: int, until: int) -> list[tuple[int, str, str]]:
        """(number, instant, focus) of the events from one number to another, both among them."""
        sql = "SELECT * FROM event WHERE number BETWEEN ? AND ? ORDER BY number"
        return [(r["number"], r["at"], r["focus"]) for r in self._store.rows(sql, since, until)]


def _shown(row: Any) -> dict[str, Any]:
    resource = decoded(row["body"])
    meta = {**resource.get("meta", {}), "versionId": str(row["version"]), "lastUpdated": row["at"]}
    return {**resource, "meta": meta}


def _patient(resource: Mapping[str, Any]) -> str | None:
    named = (resource.get(name, {}).get("reference", "") for name in _SUBJECTS)
    return next((text.rpartition("Patient/")[2] for text in named if "Patient/" in text), None)


def _in_category(resource: Mapping[str, Any], category: str | None) -> bool:
    """An EHR that keeps no categories gives every record."""
    codes = {c.get("code") for concept in _listed(resource.get("category")) for c in concept.get("coding", ())}
    return category is None or not codes or category in codes


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
