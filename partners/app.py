"""Every stand-in in one FastAPI app: run by itself, or mounted into another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI

from partners import tokens
from partners.agency import service as agency_service
from partners.agency.api import agency_routes
from partners.agency.rules import rules
from partners.agency.service import Agency
from partners.arrangements import Arrangements, arrangements, client_keys
from partners.clock import Clock, clock
from partners.ehr import records, tasks
from partners.ehr.api import Ehr, ehr_routes
from partners.ehr.others import Others, others
from partners.gateway import service as gateway_service
from partners.gateway.api import gateway_routes
from partners.gateway.service import Gateway
from partners.keys import own_key
from partners.mailbox import Mailbox, mailbox_routes
from partners.payer import claims, subscribers
from partners.payer.api import payer_routes
from partners.payer.requirements import requirements
from partners.payer.service import Payer
from partners.pharmacy import service as pharmacy_service
from partners.pharmacy.api import pharmacy_routes
from partners.pharmacy.service import Pharmacy
from partners.store import Store
from partners.telling import Customer
from partners.timers import Timers
from partners.wire import Refused, refused

WAITS = httpx.Timeout(15, connect=3)


@dataclass(frozen=True, slots=True)
class Partners:
    """The running stand-ins. A mounted app's lifespan does not run by itself: call `start` and `stop` there."""

    payers: Mapping[str, Payer]
    ehrs: Mapping[str, Ehr]
    others: Others
    pharmacy: Pharmacy
    agencies: Mapping[str, Agency]
    gateway: Gateway
    mailbox: Mailbox | None
    stores: tuple[Store, ...]
    http: httpx.AsyncClient

    @property
    def timers(self) -> tuple[Timers, ...]:
        own = (self.pharmacy.timers, self.gateway.timers, *(a.timers for a in self.agencies.values()))
        return (*(p.timers for p in self.payers.values()), *own, *self.others.timers)

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
    smtp: tuple[str, int] | None = None,
) -> FastAPI:
    """The app with routes `/payer/<id>`, `/ehr/<id>`, `/pharmacy` and `/gateway`; `app.state.partners`: the `Partners`.

    `folder` keeps every partner's SQLite file and key; `carepod` is the practice's address; `address` is where this
    app itself is reached, a prefix included (an assertion for a token must name it); `debug` opens the debug routes;
    `smtp` is the host and port where mails are taken, if anywhere.
    """
    agreed = arranged or arrangements(carepod)
    partners = _made(
        folder, agreed, address.rstrip("/"), http or httpx.AsyncClient(timeout=WAITS, trust_env=False), now, smtp
    )
    app = FastAPI(title="Carepod's outside parties", lifespan=_lifespan)
    app.state.partners = partners
    app.add_exception_handler(Refused, refused)
    for key, payer in partners.payers.items():
        app.include_router(payer_routes(payer, debug=debug), prefix=f"/payer/{key}")
    for key, ehr in partners.ehrs.items():
        app.include_router(ehr_routes(ehr, debug=debug), prefix=f"/ehr/{key}")
    for key, routes in partners.others.routes(debug=debug).items():
        app.include_router(routes, prefix=f"/ehr/{key}")
    app.include_router(pharmacy_routes(partners.pharmacy, debug=debug), prefix="/pharmacy")
    for key, agency in partners.agencies.items():
        app.include_router(agency_routes(agency, debug=debug), prefix=f"/agency/{key}")
    app.include_router(gateway_routes(partners.gateway, debug=debug), prefix="/gateway")
    if partners.mailbox is not None and debug:
        app.include_router(mailbox_routes(partners.mailbox), prefix="/mailbox")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    partners: Partners = app.state.partners
    partners.start()
    if partners.mailbox is not None:
        await partners.mailbox.start()
    yield
    if partners.mailbox is not None:
        await partners.mailbox.stop()
    await partners.stop()


def _made(
    folder: Path,
    agreed: Arrangements,
    address: str,
    http: httpx.AsyncClient,
    now: Clock,
    smtp: tuple[str, int] | None,
) -> Partners:
    stores: list[Store] = []

    def store(name: str, schema: str) -> Store:
        stores.append(Store(folder / f"{name}.sqlite", schema))
        return stores[-1]

    payers = {
        k: _payer(
            k, store(f"payer-{k}", claims.SCHEMA + subscribers.SCHEMA + tokens.SCHEMA), agreed, address, http, now
        )
        for k in agreed.payers
    }
    schema = tokens.SCHEMA + tasks.SCHEMA + records.SCHEMA
    ehrs = {k: _ehr(k, store(f"ehr-{k}", schema), folder, agreed, address, http, now) for k in agreed.ehrs}
    pharmacy = _pharmacy(store("pharmacy", pharmacy_service.SCHEMA), folder, agreed, http, now)
    gateway = _gateway(store("gateway", gateway_service.SCHEMA), folder, agreed, http, now)
    of_agency = agency_service.SCHEMA + tokens.SCHEMA
    agencies = {
        k: _agency(k, store(f"agency-{k}", of_agency), folder, agreed, address, http, now) for k in agreed.agencies
    }
    answered = others(agreed.others, store, folder, address, http, now)
    mailbox = Mailbox(*smtp) if smtp else None
    return Partners(payers, ehrs, answered, pharmacy, agencies, gateway, mailbox, tuple(stores), http)


def _payer(key: str, store: Store, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock) -> Payer:
    notified, secret = agreed.payers[key]
    base = f"{address}/payer/{key}"
    callers = {client: client_keys(source, http) for client, source in agreed.callers.items()}
    return Payer(
        key,
        store,
        now=now,
        http=http,
        base=base,
        requirements=requirements(key, base, store, callers, now),
        address=notified,
        secret=secret,
        release_after=agreed.release_after,
    )


def _pharmacy(store: Store, folder: Path, agreed: Arrangements, http: httpx.AsyncClient, now: Clock) -> Pharmacy:
    return Pharmacy(
        store,
        key=own_key(folder / "pharmacy.key.pem"),
        customer=Customer(agreed.fhir, agreed.token_url, agreed.client_id),
        http=http,
        now=now,
        lead_time=agreed.lead_time,
    )


def _gateway(store: Store, folder: Path, agreed: Arrangements, http: httpx.AsyncClient, now: Clock) -> Gateway:
    return Gateway(
        store,
        secret=agreed.gateway_key,
        key=own_key(folder / "gateway.key.pem"),
        customer=Customer(agreed.fhir, agreed.token_url, agreed.gateway_client),
        http=http,
        now=now,
    )


def _ehr(
    key: str, store: Store, folder: Path, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock
) -> Ehr:
    clients = {client: client_keys(source, http) for client, source in agreed.ehrs[key].items()}
    given = tokens.Tokens(store, now, f"{address}/ehr/{key}/token", clients)
    return Ehr(key, store, given, own_key(folder / f"ehr-{key}.key.pem"), now, f"{address}/ehr/{key}", http)


def _agency(
    key: str, store: Store, folder: Path, agreed: Arrangements, address: str, http: httpx.AsyncClient, now: Clock
) -> Agency:
    clients = {client: client_keys(source, http) for client, source in agreed.agencies[key].items()}
    return Agency(
        key,
        store,
        rules=rules(key),
        tokens=tokens.Tokens(store, now, f"{address}/agency/{key}/token", clients),
        key=own_key(folder / f"agency-{key}.key.pem"),
        customer=Customer(agreed.fhir, agreed.token_url, key),
        http=http,
        now=now,
        answers_after=agreed.agency_answers_after,
    )
