"""Every stand-in in one FastAPI app: run by itself, or mounted into another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from partners.arrangements import Arrangements, arrangements, client_keys
from partners.clock import Clock, clock
from partners.ehr import tasks, tokens
from partners.ehr.api import Ehr, ehr_routes
from partners.keys import own_key
from partners.payer import claims
from partners.payer.api import payer_routes
from partners.payer.service import Payer
from partners.pharmacy import service as pharmacy_service
from partners.pharmacy.api import pharmacy_routes
from partners.pharmacy.service import Customer, Pharmacy
from partners.store import Store
from partners.timers import Timers
from partners.wire import Refused, refused

WAITS = httpx.Timeout(15, connect=3)


@dataclass(frozen=True, slots=True)
class Partners:
    """The running stand-ins. A mounted app's lifespan does not run by itself: call `start` and `stop` there."""

    payers: Mapping[str, Payer]
    ehrs: Mapping[str, Ehr]
    pharmacy: Pharmacy
    stores: tuple[Store, ...]
    http: httpx.AsyncClient

    @property
    def timers(self) -> tuple[Timers, ...]:
        return (*(p.timers for p in self.payers.values()), self.pharmacy.timers)

    async def tick(self) -> int:
        """Does now, once, everything that is due; returns how much that was."""
        return sum(await asyncio.gather(*(t.tick() for t in self.timers)))

    def start(self) -> None:
        """Begins the background timers; needs a running event loop."""
        for timers in self.timers:
            timers.start()

    async def stop(self) -> None:
        """Ends the timers and closes the stores; what was still to do is done after the next start."""
        await asyncio.gather(*(t.stop() for t in self.timers))
        await self.http.aclose()
        for store in self.stores:
            store.close()


def create_app(
    folder: Path,
    carepod: str,
    *,
    address: str = "http://127.0.0.1:8100",
    arranged: Arrangements | None = None,
    http: httpx.AsyncClient | None = None,
    now: Clock = clock,
    debug: bool = False,
) -> FastAPI:
    """The app with routes `/payer/<id>`, `/ehr/<id>` and `/pharmacy`; `app.state.partners` is the `Partners`.

    `folder` keeps every partner's SQLite file and key; `carepod` is the practice's address; `address` is where this
    app itself is reached, a prefix included (an assertion for a token must name it); `debug` opens the debug routes.
    """
    agreed = arranged or arrangements(carepod)
    partners = _made(
        folder, agreed, address.rstrip("/"), http or httpx.AsyncClient(timeout=WAITS, trust_env=False), now
    )
    app = FastAPI(title="Carepod's outside parties", lifespan=_lifespan)
    app.state.partners = partners
    app.add_exception_handler(Refused, refused)
    for key, payer in partners.payers.items():
        app.include_router(payer_routes(payer, debug=debug), prefix=f"/payer/{key}")
    for key, ehr in partners.ehrs.items():
        app.include_router(ehr_routes(ehr, debug=debug), prefix=f"/ehr/{key}")
    app.include_router(pharmacy_routes(partners.pharmacy, debug=debug), prefix="/pharmacy")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    partners: Partners = app.state.partners
    partners.start()
    yield
    await partners.stop()


def _made(folder: Path, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock) -> Partners:
    stores: list[Store] = []

    def store(name: str, schema: str) -> Store:
        stores.append(Store(folder / f"{name}.sqlite", schema))
        return stores[-1]

    payers = {k: _payer(k, store(f"payer-{k}", claims.SCHEMA), agreed, address, http, now) for k in agreed.payers}
    schema = tokens.SCHEMA + tasks.SCHEMA
    ehrs = {k: _ehr(k, store(f"ehr-{k}", schema), folder, agreed, address, http, now) for k in agreed.ehrs}
    pharmacy = Pharmacy(
        store("pharmacy", pharmacy_service.SCHEMA),
        key=own_key(folder / "pharmacy.key.pem"),
        customer=Customer(agreed.fhir, agreed.token_url, agreed.client_id),
        http=http,
        now=now,
        lead_time=agreed.lead_time,
    )
    return Partners(payers, ehrs, pharmacy, tuple(stores), http)


def _payer(key: str, store: Store, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock) -> Payer:
    notified, secret = agreed.payers[key]
    return Payer(
        key,
        store,
        now=now,
        http=http,
        base=f"{address}/payer/{key}",
        address=notified,
        secret=secret,
        release_after=agreed.release_after,
    )


def _ehr(
    key: str, store: Store, folder: Path, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock
) -> Ehr:
    clients = {client: client_keys(source, http) for client, source in agreed.ehrs[key].items()}
    given = tokens.Tokens(store, now, f"{address}/ehr/{key}/token", clients)
    return Ehr(key, store, given, own_key(folder / f"ehr-{key}.key.pem"), now)
