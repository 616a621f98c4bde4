"""The Subscriptions a payer has taken: who is told of its decisions, where, in which spelling of the filter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from partners.payer.notifications import BACKPORT, TOPIC
from partners.store import Store
from partners.wire import refuse, resource_model

Json = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriber (
  id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL,
  events INTEGER NOT NULL DEFAULT 0);
"""
FILTER = BACKPORT + "backport-filter-criteria"
CONTENT = BACKPORT + "backport-payload-content"


class Subscribers:
    """`spelling`: how this payer's topic calls the filter by organization; another is refused."""

    def __init__(self, store: Store, spelling: str) -> None:
        self._store, self._spelling = store, spelling

    def taken(self, body: Json, known: str | None = None) -> Json:
        """Keeps a new or changed Subscription. Raises Refused (400, 404, 422)."""
        resource_model(body, "Subscription")
        if wrong := self._wrong(body):
            refuse(422, "not-supported", wrong, "Subscription")
        if known is not None and self.of(known) is None:
            refuse(404, "not-found", "this payer has no such Subscription", "Subscription.id")
        name = known or f"sub-{self._store.count('subscriber')}"
        kept = {**body, "id": name, "status": "requested"}
        endpoint, text = body["channel"]["endpoint"], json.dumps(kept)
        self._store.run(
            "INSERT INTO subscriber (id, endpoint, body, status) VALUES (?, ?, ?, 'requested') ON CONFLICT (id) DO "
            "UPDATE SET endpoint = excluded.endpoint, body = excluded.body, status = 'requested'",
            name, endpoint, text,
        )  # fmt: skip
        return self._shown(kept, "requested")

    def _wrong(self, body: Json) -> str:
        channel = body["channel"]
        said = [e["valueString"] for e in _extensions(body, "_criteria") if e["url"] == FILTER]
        contents = [e["valueCode"] for e in _extensions(channel, "_payload") if e["url"] == CONTENT]
        spelled = re.escape(self._spelling) + r"=(http://hl7\.org/fhir/sid/us-npi\|)?[0-9]{10}"
        return next(
            (
                text
                for is_right, text in (
                    (body.get("criteria") == TOPIC, "criteria must be the PAS topic"),
                    (len(said) == 1 and re.fullmatch(spelled, said[0]), f"the filter must be {self._spelling}=<NPI>"),
                    (channel.get("type") == "rest-hook", "the channel must be a rest-hook"),
                    (contents == ["full-resource"], "the content must be full-resource"),
                )
                if not is_right
            ),
            "",
        )

    def of(self, name: str) -> Json | None:
        """One as it stands, its headers left out: they are the subscriber's secret."""
        row = self._store.row("SELECT * FROM subscriber WHERE id = ?", name)
        return self._shown(json.loads(row["body"]), row["status"]) if row else None

    def at(self, endpoint: str) -> Json:
        """Those of one endpoint."""
        rows = self._store.rows("SELECT * FROM subscriber WHERE endpoint = ? ORDER BY rowid", endpoint)
        found = [{"resource": self._shown(json.loads(r["body"]), r["status"])} for r in rows]
        return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": found}

    def active(self) -> str | None:
        """The one that is told, where there is one."""
        row = self._store.row("SELECT id FROM subscriber WHERE status = 'active' ORDER BY rowid DESC")
        return row["id"] if row else None

    def next_event(self, name: str) -> int:
        """The number of the next event it is told of."""
        self._store.run("UPDATE subscriber SET events = events + 1 WHERE id = ?", name)
        return self.events(name)

    def events(self, name: str) -> int:
        """How many events there were since it began."""
        return int(self._store.rows("SELECT events FROM subscriber WHERE id = ?", name)[0]["events"])

    def called(self, name: str) -> tuple[str, Mapping[str, str]]:
        """Its endpoint, and the headers it wants there."""
        body = json.loads(self._store.rows("SELECT body FROM subscriber WHERE id = ?", name)[0]["body"])
        parts = (h.partition(":") for h in body["channel"].get("header", ()))
        return body["channel"]["endpoint"], {k.strip(): v.strip() for k, _, v in parts}

    def shook(self, name: str, taken: bool) -> None:
        """After a handshake."""
        self._store.run("UPDATE subscriber SET status = ? WHERE id = ?", "active" if taken else "error", name)

    def _shown(self, body: Json, status: str) -> Json:
        channel = {k: v for k, v in body["channel"].items() if k != "header"}
        return {**body, "status": status, "channel": channel}


def _extensions(element: Json, name: str) -> list[Json]:
    found: list[Json] = element.get(name, {}).get("extension", [])
    return found
