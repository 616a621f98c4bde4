"""One transaction under its lanes: what decisions read again is written at once, the rest at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.clock import stamp
from shared.core import Decision, Event, Resource, versioned
from shared.ports import Row, Transaction
from shared.store.deliveries import Prepared, prepare
from shared.store.inbox import close
from shared.store.lanes import Lane, lanes_saved
from shared.store.resources import HISTORY, text_of
from shared.store.wakes import set_wakes

_DECISION = (
    "id", "at", "lane", "kind", "source", "event", "focus", "reason", "refusals", "evidence", "saves", "message",
    "trace",
)  # fmt: skip
_OUTBOX = ("id", "lane", "seq", "partition", "reason", "keys", "headers", "body", "created_at")


@dataclass(slots=True)
class Unit:
    """A transaction, the lanes it holds, and what `flush` writes at its end. Nothing of it is read before."""

    tx: Transaction
    held: Mapping[str, Lane]
    changed: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    deliveries: list[Prepared] = field(default_factory=list)
    wakes: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    outbox: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)

    def lane(self, key: str) -> Lane:
        """A lane held, to be written back."""
        self.changed.add(key)
        return self.held[key]

    def record(
        self, decision_id: str, event: Event, decision: Decision, saved: Sequence[Resource], message: str, trace: str
    ) -> None:
        """The audit row of one decision: what was decided, why, on what evidence, and what it saved.

        A decision on a message that names no evidence of its own rests on what the message brought.
        """
        brought = [versioned(r) for r in event.resources] if saved and event.kind == "message" else []
        self.decisions.append((
            decision_id, stamp(event.at), event.lane, event.kind, event.source, event.reason,
            decision.focus or event.focus or "", decision.reason, json.dumps(list(decision.refusals)),
            json.dumps(list(decision.evidence) or brought), json.dumps([versioned(r) for r in saved]), message, trace,
        ))  # fmt: skip

    def enqueue(
        self, lane: Lane, partition: int, bundle: Resource, reason: str, keys: Sequence[str],
        headers: Mapping[str, Any], at: datetime,
    ) -> None:  # fmt: skip
        """Adds one message to the outbox."""
        self.outbox.append((
            bundle["id"], lane.key, lane.seq, partition, reason, json.dumps(list(keys)), json.dumps(headers),
            text_of(bundle), stamp(at),
        ))  # fmt: skip

    async def flush(self) -> None:
        """Writes what was gathered; the caller commits."""
        await close(self.tx, self.done, "done")
        await close(self.tx, self.superseded, "superseded")
        await prepare(self.tx, self.deliveries)
        await set_wakes(self.tx, self.wakes)
        written = (
            ("history", HISTORY, self.history),
            ("outbox", _OUTBOX, self.outbox),
            ("decision", _DECISION, self.decisions),
        )
        for table, columns, rows in written:
            if rows:
                await self.tx.insert(table, columns, rows)
        await lanes_saved(self.tx, [self.held[key] for key in sorted(self.changed)])
