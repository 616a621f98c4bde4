"""What a set of stand-ins has arranged with the practice: addresses, secrets, keys, and how long things take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from partners.tokens import Keys

DEMO = Path(__file__).with_name("arrangements.yaml")


class ArrangementError(Exception):
    """The arrangements file is wrong: where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Arrangements:
    """`payers`: id -> (address notified, secret). `ehrs`: id -> client -> its JWKS (address, file or set).

    `agencies`: id, which is also its client id here -> client -> its JWKS.
    `callers`: who may ask a payer's CDS services, by the issuer it calls itself -> its JWKS.
    `others`: id -> what a referrer takes that takes no Tasks, and what that needs (`partners/ehr/others.py`).
    """

    payers: Mapping[str, tuple[str, str]]
    ehrs: Mapping[str, Mapping[str, str | Mapping[str, Any]]]
    fhir: str
    token_url: str
    client_id: str
    release_after: timedelta
    lead_time: timedelta
    gateway_key: str = ""
    gateway_client: str = "patient-texts"
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    agencies: Mapping[str, Mapping[str, str | Mapping[str, Any]]] = field(default_factory=dict)
    agency_answers_after: timedelta = timedelta(seconds=1)
    callers: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)


def arrangements(carepod: str, path: Path = DEMO) -> Arrangements:
    """Reads an arrangements file. Raises ArrangementError."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8").replace("{carepod}", carepod.rstrip("/")))
        pharmacy = document["pharmacy"]
        return Arrangements(
            payers={key: (p["notify"], p["secret"]) for key, p in document["payers"].items()},
            ehrs={key: dict(e["clients"]) for key, e in document["ehrs"].items()},
            fhir=pharmacy["fhir"],
            token_url=pharmacy["token_url"],
            client_id=pharmacy["client_id"],
            release_after=timedelta(seconds=document["release_after_seconds"]),
            lead_time=timedelta(seconds=document["lead_time_seconds"]),
            gateway_key=document["gateway"]["key"],
            gateway_client=document["gateway"]["client_id"],
            agencies={key: dict(a["clients"]) for key, a in document.get("agencies", {}).items()},
            agency_answers_after=timedelta(seconds=document.get("agency_answers_after_seconds", 1)),
            callers=dict(document.get("callers", {})),
            others={key: dict(o) for key, o in document.get("others", {}).items()},
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ArrangementError(f"{path}: {type(error).__name__} {error}") from None


def client_keys(source: str | Mapping[str, Any], http: httpx.AsyncClient) -> Keys:
    """How a client's registered keys are found: an address is asked again whenever it does not know a kid."""
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return _Fetched(source, http).keys
    registered = json.loads(Path(source).read_text(encoding="utf-8")) if isinstance(source, str) else source

    async def given(_kid: str) -> list[Mapping[str, Any]]:
        return list(registered["keys"])

    return given


class _Fetched:
    """The JWKS behind one address, remembered."""

    def __init__(self, address: str, http: httpx.AsyncClient) -> None:
        self._address, self._http = address, http
        self._known: list[Mapping[str, Any]] = []

    async def keys(self, kid: str) -> list[Mapping[str, Any]]:
        if not any(k.get("kid") == kid for k in self._known):
            response = await self._http.get(self._address)
            found = response.raise_for_status().json()
            self._known = [k for k in found.get("keys", ()) if isinstance(k, dict)]
        return self._known
