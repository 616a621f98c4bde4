"""The gateway at work: takes each text once by its key, and brings replies to the practice until they are taken."""

from __future__ import annotations

import re
from typing import Any

import httpx
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from partners.backend import TokenRefused
from partners.clock import Clock
from partners.faults import Faults
from partners.keys import PrivateKey
from partners.store import Store
from partners.telling import Customer, Telling, settled
from partners.timers import Timers
from partners.wire import dumps

SCHEMA = """
CREATE TABLE IF NOT EXISTS text (
  id TEXT PRIMARY KEY, number TEXT NOT NULL, body TEXT NOT NULL, subject TEXT, recipient TEXT,
  received INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS reply (
  id TEXT PRIMARY KEY, text TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL, answer INTEGER);
"""
OPERATIONS = frozenset({"messages"})
SCOPE = "system/Communication.c"
SYSTEM = "https://texts.prairie.example/id/reply"
_LANDLINE = "00"
"""Numbers ending so take no texts."""


class ReplyAs(BaseModel):
    """Whose reply it will be: the practice's own references, opaque here."""

    subject: str
    sender: str


class Text(BaseModel):
    """The body of `POST messages`."""

    id: str
    to: str
    text: str
    reply_as: ReplyAs


class Replied(BaseModel):
    """The body of `POST debug/reply`: what somebody texts back to the latest text his number got."""

    to: str
    text: str


class Gateway:
    """The gateway: its texts, its key at the practice, and the key the practice must show."""

    def __init__(
        self, store: Store, *, secret: str, key: PrivateKey, customer: Customer, http: httpx.AsyncClient, now: Clock
    ) -> None:
        self.key, self._secret = key, secret
        self._store, self._now = store, now
        self._telling = Telling(customer, key, http, now, SCOPE)
        self.faults = Faults(store, OPERATIONS)
        self.timers = Timers(store, now, self._brought)

    async def take(self, authorization: str | None, text: Text) -> Response:
        """201 the first time, 200 for a known id, 401 without the key, 422 for a number that takes no texts."""
        if authorization != f"Bearer {self._secret}":
            return JSONResponse({"error": "the key agreed on would be right"}, 401)
        number = _number(text.to)
        if number is None:
            return JSONResponse({"error": "to: a mobile number of ten digits would be right"}, 422)
        sql = (
            "INSERT INTO text (id, number, body, subject, recipient) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET received = received + 1 RETURNING received"
        )
        said = (text.id, number, text.text, text.reply_as.subject, text.reply_as.sender)
        first = self._store.rows(sql, *said)[0]["received"] == 1
        return JSONResponse({"id": text.id}, 201 if first else 200)

    def replied(self, reply: Replied) -> Response:
        """Somebody texts back: his reply belongs to the latest text his number got; 404 where it got none."""
        sql = "SELECT id FROM text WHERE number = ? ORDER BY rowid DESC"
        row = self._store.row(sql, _number(reply.to))
        if row is None:
            return JSONResponse({"error": "this number has got no text"}, 404)
        number = f"R{self._store.count('reply'):07d}"
        at = self._now().isoformat(timespec="seconds")
        sql = "INSERT INTO reply (id, text, body, at) VALUES (?, ?, ?, ?)"
        self._store.run(sql, number, row["id"], reply.text, at)
        self.timers.set("reply", number, self._now())
        return JSONResponse({"id": number}, 201)

    async def _brought(self, _kind: str, number: str) -> bool:
        """Brings one reply to the practice; True once it was taken or refused for good."""
        try:
            text = dumps(self._communication(number))
            response = await self._telling.post("Communication", text, f"{SYSTEM}|{number}")
        except (httpx.HTTPError, TokenRefused):
            return False
        self._store.run("UPDATE reply SET answer = ? WHERE id = ?", response.status_code, number)
        return settled(response)

    def _communication(self, number: str) -> dict[str, Any]:
        sql = "SELECT r.*, t.subject, t.recipient FROM reply r JOIN text t ON t.id = r.text WHERE r.id = ?"
        row = self._store.rows(sql, number)[0]
        return {
            "resourceType": "Communication",
            "identifier": [{"system": SYSTEM, "value": number}],
            "basedOn": [{"reference": f"CommunicationRequest/{row['text']}"}],
            "status": "completed",
            "subject": {"reference": row["subject"]},
            "sent": row["at"],
            "received": row["at"],
            "sender": {"reference": row["recipient"]},
            "payload": [{"contentString": row["body"]}],
        }

    def listing(self) -> list[dict[str, Any]]:
        """Every text with how often it came, in the order of the first time."""
        return [dict(row) for row in self._store.rows("SELECT * FROM text ORDER BY rowid")]


def _number(written: str) -> str | None:
    """Ten digits of a US number that takes texts, or None."""
    digits = re.sub(r"\D", "", written).removeprefix("1")
    return digits if len(digits) == 10 and not digits.endswith(_LANDLINE) else None
