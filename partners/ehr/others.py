"""The referrers that take no Tasks: which of them there are, each with what it takes, its store and its routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter

from partners import tokens
from partners.arrangements import client_keys
from partners.clock import Clock
from partners.ehr import documents, fax, notified
from partners.ehr.documents import Filing, filing_routes
from partners.ehr.fax import Fax, fax_routes
from partners.ehr.notified import Subscriber, notified_routes
from partners.store import Store
from partners.timers import Timers


@dataclass(frozen=True, slots=True)
class Others:
    """The referrers that take documents, notifications or files, by id."""

    filing: Mapping[str, Filing]
    notified: Mapping[str, Subscriber]
    faxed: Mapping[str, Fax]

    @property
    def timers(self) -> tuple[Timers, ...]:
        return tuple(f.timers for f in self.faxed.values())

    def routes(self, *, debug: bool) -> Mapping[str, APIRouter]:
        """Each one's routes, by id."""
        return {
            **{k: filing_routes(e, debug=debug) for k, e in self.filing.items()},
            **{k: notified_routes(e, debug=debug) for k, e in self.notified.items()},
            **{k: fax_routes(e, debug=debug) for k, e in self.faxed.items()},
        }


def others(
    arranged: Mapping[str, Mapping[str, Any]],
    store: Callable[[str, str], Store],
    folder: Path,
    address: str,
    http: httpx.AsyncClient,
    now: Clock,
) -> Others:
    """`arranged`: id -> `takes` documents (with `clients`), notifications (with `secret`) or files."""

    def filing(key: str) -> Filing:
        kept = store(f"ehr-{key}", tokens.SCHEMA + documents.SCHEMA)
        clients = {client: client_keys(source, http) for client, source in arranged[key]["clients"].items()}
        return Filing(key, kept, tokens.Tokens(kept, now, f"{address}/ehr/{key}/token", clients), now)

    taking = {kind: [k for k, a in arranged.items() if a["takes"] == kind] for kind in _KINDS}
    return Others(
        {k: filing(k) for k in taking["documents"]},
        {
            k: Subscriber(k, store(f"ehr-{k}", notified.SCHEMA), arranged[k]["secret"], now)
            for k in taking["notifications"]
        },
        {k: Fax(k, store(f"ehr-{k}", fax.SCHEMA), folder / k / "inbox", now) for k in taking["files"]},
    )


_KINDS = ("documents", "notifications", "files")
