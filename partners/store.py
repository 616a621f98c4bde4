"""A partner's memory: one SQLite file that a killed and restarted partner finds again as it left it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_COMMON = """
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS timer (
  kind TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER NOT NULL,
  retry_after REAL, seconds REAL);
"""


class Store:
    """Rows of one partner. `schema` is its own tables, created where absent; every commit is on the disk."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_COMMON + schema)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; never held across an await."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._database.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        return next(iter(self.rows(sql, *values)), None)

    def run(self, sql: str, *values: Any) -> int:
        """Executes one statement and returns how many rows it touched."""
        return self._database.execute(sql, values).rowcount

    def count(self, name: str) -> int:
        """The next number of a sequence, from 1."""
        sql = "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        return int(self.rows(sql, name)[0]["value"])

    def close(self) -> None:
        self._database.close()
