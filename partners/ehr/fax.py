"""A clinic with nothing but a fax line: takes PDF files out of a folder as its gateway does, and keeps each page."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from partners.clock import Clock, instant
from partners.store import Store
from partners.timers import Timers
from partners.wire import answer

SCHEMA = """
CREATE TABLE IF NOT EXISTS fax (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, at TEXT NOT NULL, digest TEXT NOT NULL, refused TEXT,
  content BLOB NOT NULL);
"""
NAME = re.compile(r"[A-Za-z0-9-]{1,80}\.pdf")
LOOKS_EVERY = timedelta(seconds=0.3)
_TURNS = {"even": "odd", "odd": "even"}


class Fax:
    """The folder of one clinic's gateway, looked into again and again; taken away and put back on demand."""

    def __init__(self, clinic: str, store: Store, folder: Path, now: Clock) -> None:
        self.name, self._store, self._folder, self._now = clinic, store, folder, now
        self._folder.mkdir(parents=True, exist_ok=True)
        self.timers = Timers(store, now, self._looked)
        self.timers.set("look", "even", now())

    async def _looked(self, kind: str, key: str) -> bool:
        self.take()
        self.timers.set(kind, _TURNS[key], self._now() + LOOKS_EVERY)
        return True

    def take(self) -> None:
        """Takes every file that is there; names that begin with a dot are still being written."""
        if self._folder.is_dir():
            for path in sorted(p for p in self._folder.iterdir() if not p.name.startswith(".")):
                content = path.read_bytes()
                sql = "INSERT INTO fax (name, at, digest, refused, content) VALUES (?, ?, ?, ?, ?)"
                digest = hashlib.sha256(content).hexdigest()
                self._store.run(sql, path.name, instant(self._now()), digest, _wrong(path.name, content), content)
                path.unlink()

    def mounted(self, present: bool) -> None:
        """Takes the folder away, as a share that is not mounted, or puts it back."""
        away = self._folder.with_name(f"{self._folder.name}-away")
        if present and away.is_dir():
            away.rename(self._folder)
        elif not present and self._folder.is_dir():
            self._folder.rename(away)

    def listing(self) -> list[dict[str, Any]]:
        """Every file in the order it was taken, with what was wrong with it."""
        rows = self._store.rows("SELECT * FROM fax ORDER BY id")
        return [
            {k: r[k] for k in ("id", "name", "digest", "refused")} | {"content": r["content"].decode("latin-1")}
            for r in rows
        ]


def _wrong(name: str, content: bytes) -> str | None:
    """Why the gateway would not send it."""
    if not NAME.fullmatch(name):
        return "name"
    whole = content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    return None if whole else "content"


def fax_routes(fax: Fax, *, debug: bool) -> APIRouter:
    """Only debug routes: the clinic itself answers no program."""
    routes = APIRouter(tags=[f"Clinic {fax.name}"])
    if debug:

        @routes.post("/debug/folder", status_code=204)
        async def folder(present: bool) -> None:
            fax.mounted(present)

        @routes.get("/debug/faxes")
        async def faxes() -> Response:
            fax.take()
            return answer(fax.listing())

    return routes
