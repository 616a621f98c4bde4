"""Settings from the environment and the site's own configuration file, checked once at start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from shared.answering import Way, content, patience, ways
from shared.home import DAYS, HomeNursing, home_nursing, hours
from shared.messaging import Messaging, messaging
from shared.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """A setting or the site file is wrong: what, where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Nurse:
    """A nurse on shift: weekdays 0-6 (Monday 0), from/to local time."""

    id: str
    days: frozenset[int]
    begins: time
    ends: time


@dataclass(frozen=True, slots=True)
class InfusionSite:
    """One place with chairs: opening hours per weekday (Monday 0), local to its time zone."""

    id: str
    name: str
    time_zone: ZoneInfo
    hours: Mapping[int, tuple[time, time]]
    chairs: int
    nurses: tuple[Nurse, ...]
    closed_on: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Payer:
    """A payer as this practice knows it: how its Coverage is recognised and which partner reaches it.

    pathway  how it is asked to authorize: `pas` by its partner; `portal` or `fax` by a person, who opens or dials it.
    subscribes  whether we have a Subscription of our own there, in place of one by arrangement.
    coverage_requirements  the partner whose CDS services say what an order needs (Da Vinci CRD); none: not asked.
    pharmacy_benefit  the payer of this list that decides its pharmacy benefit, where that one is gone by at all.
    """

    id: str
    name: str
    identifiers: tuple[tuple[str, str], ...]
    line_of_business: str
    partner: str
    pathway: str = "pas"
    portal: str = ""
    fax: str = ""
    coverage_requirements: str = ""
    pharmacy_benefit: str = ""
    subscribes: bool = False


@dataclass(frozen=True, slots=True)
class Partner:
    """An outside party we call: base address, and where SMART Backend Services gives us a token.

    content    what notifications to it carry: `id-only` or `full-resource`; `handshake`: it wants one before the first.
    folder     where files for it are put, in place of an address.
    """

    id: str
    base: str
    token_url: str | None = None
    client_id: str | None = None
    scope: str = ""
    notification_secret: str | None = None
    api_key: str | None = None
    content: str = "id-only"
    handshake: bool = False
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Referrer:
    """A client that pushes to us: by which ways our answers reach it, the best first (none: it reads them here).

    `patience` is how long a way may stay unreached before the next one is tried, where it differs from the policy's.
    `reads_from` is the partner whose records we may read for it, `notification_secret` what its notifications say in
    place of a token. It sees the patients it has sent, and all patients only where `sees_all`. `brings` are the kinds
    of records it may send of any patient, each resting on an order or a notice of ours: a dispense, a reply.
    """

    client: str
    name: str
    answers_to: str | None = None
    sees_all: bool = False
    answers: tuple[Way, ...] = ()
    patience: timedelta | None = None
    reads_from: str | None = None
    notification_secret: str | None = None
    brings: frozenset[str] = frozenset()

    @property
    def read_from(self) -> str | None:
        """The partner whose records we may read for this client: the EHR that takes our answers where none is named."""
        return self.reads_from or self.answers_to


@dataclass(frozen=True, slots=True)
class Adoption:
    """A draft policy this practice decided to use: which, who, when."""

    policy: str
    by: str
    on: date


@dataclass(frozen=True, slots=True)
class Site:
    """The practice's configuration file (`CAREPOD_SITE`)."""

    organization: str
    npi: str
    sites: tuple[InfusionSite, ...]
    payers: tuple[Payer, ...] = ()
    partners: Mapping[str, Partner] = field(default_factory=dict)
    referrers: Mapping[str, Referrer] = field(default_factory=dict)
    adopted: tuple[Adoption, ...] = ()
    auto_confirm: frozenset[str] = frozenset()
    pharmacy: str | None = None
    home: HomeNursing | None = None
    messaging: Messaging | None = None
    address: str = ""

    def site(self, site_id: str) -> InfusionSite | None:
        """The infusion site of this id."""
        return next((s for s in self.sites if s.id == site_id), None)

    def has_adopted(self, policy: str) -> bool:
        """Whether this practice uses the draft of this name (`drafts` of `policies/*.yaml`)."""
        return any(a.policy == policy for a in self.adopted)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; every field has the laptop's default."""

    database_url: str | None = None
    amqp_url: str | None = None
    redis_url: str | None = None
    base_url: str = "http://127.0.0.1:8000"
    partners_url: str = "http://127.0.0.1:8000/partners"
    site_file: Path = ROOT / "deploy" / "sites" / "demo.yaml"
    secrets: Path = ROOT / "var" / "secrets"
    folder: Path = ROOT / "var"
    partitions: int = 16
    peers: Mapping[str, str] = field(default_factory=dict)
    failpoint: str | None = None
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Reads `CAREPOD_*`. Raises SettingsError naming the variable that is wrong."""
        get = environment.get
        folder = Path(get("CAREPOD_FOLDER", str(ROOT / "var")))
        base = get("CAREPOD_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
        try:
            partitions = int(get("CAREPOD_PARTITIONS", "16"))
        except ValueError:
            raise SettingsError("CAREPOD_PARTITIONS: a whole number from 1 to 256 would be right") from None
        if not 1 <= partitions <= 256:
            raise SettingsError("CAREPOD_PARTITIONS: a whole number from 1 to 256 would be right")
        failpoint = get("CAREPOD_FAILPOINT")
        if failpoint and get("CAREPOD_UNDER_TEST") != "1":
            raise SettingsError("CAREPOD_FAILPOINT is only taken with CAREPOD_UNDER_TEST=1")
        return cls(
            database_url=get("CAREPOD_DATABASE_URL"),
            amqp_url=get("CAREPOD_AMQP_URL"),
            redis_url=get("CAREPOD_REDIS_URL"),
            base_url=base,
            partners_url=get("CAREPOD_PARTNERS_URL", base + "/partners").rstrip("/"),
            site_file=Path(get("CAREPOD_SITE", str(ROOT / "deploy" / "sites" / "demo.yaml"))),
            secrets=Path(get("CAREPOD_SECRETS", str(folder / "secrets"))),
            folder=folder,
            partitions=partitions,
            peers=_peers(get("CAREPOD_PEERS", "")),
            failpoint=failpoint,
            log_level=_level(get("CAREPOD_LOG_LEVEL")),
        )


def _level(text: str | None) -> str:
    """How much is logged; nothing that is logged names a patient, at any level."""
    level = (text or "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError("CAREPOD_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR would be right")
    return level


def _peers(text: str) -> dict[str, str]:
    """`intake=http://...,auth=http://...` -> {name: address}."""
    peers = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, found, address = part.partition("=")
        if not found or not address.startswith(("http://", "https://")):
            raise SettingsError("CAREPOD_PEERS: `service=http://host:port`, separated by commas, would be right")
        peers[name] = address.rstrip("/")
    return peers


def load_site(path: Path, *, partners_url: str, base_url: str, folder: Path = ROOT / "var") -> Site:
    """Reads a site file; `{partners}`, `{base}` and `{folder}` there become the given addresses and folder.

    Raises SettingsError naming the place in the file and what would be right.
    """
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"site file {path}: {error}") from None
    try:
        return _site(document, {"{partners}": partners_url, "{base}": base_url, "{folder}": str(folder)})
    except ValueError as error:
        raise SettingsError(f"site file {path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"site file {path}: {type(error).__name__} {error}") from None


def _site(document: Mapping[str, Any], addresses: Mapping[str, str]) -> Site:
    def filled(text: str | None) -> str | None:
        for key, value in addresses.items():
            text = text.replace(key, value) if text else text
        return text

    partners, referrers = document.get("partners", {}), document.get("referrers", {})
    payers = tuple(_payer(p, partners) for p in document.get("payers", ()))
    if unknown := {p.pharmacy_benefit for p in payers} - {"", *(p.id for p in payers)}:
        raise SettingsError(f"pharmacy_benefit {', '.join(sorted(unknown))}: the id of a payer would be right")
    return Site(
        organization=document["organization"]["name"],
        npi=str(document["organization"]["npi"]),
        sites=tuple(_infusion_site(s) for s in document["sites"]),
        payers=payers,
        partners={key: _partner(key, p, filled) for key, p in partners.items()},
        referrers={key: _referrer(key, r, partners) for key, r in referrers.items()},
        adopted=tuple(Adoption(a["policy"], a["by"], a["adopted_on"]) for a in document.get("adopted_drafts", ())),
        auto_confirm=frozenset(document.get("auto_confirm", ())),
        pharmacy=document.get("pharmacy"),
        home=_home(document),
        messaging=_messaging(document),
        address=addresses["{base}"],
    )


def _payer(said: Mapping[str, Any], partners: Mapping[str, Any] = MappingProxyType({})) -> Payer:
    identifiers = tuple((i["system"], str(i["value"])) for i in said["identifiers"])
    pathway = str(said.get("pathway", "pas"))
    if pathway not in PATHWAYS or (pathway != "pas" and not said.get(pathway)):
        raise SettingsError(f"payer {said['id']}: pathway is one of {', '.join(PATHWAYS)}, with its portal or fax")
    subscribes = bool(said.get("subscribes"))
    if subscribes and not partners.get(said["partner"], {}).get("notification_secret"):
        raise SettingsError(f"payer {said['id']}: subscribes wants a notification_secret of its partner")
    told = str(said.get("coverage_requirements", ""))
    if told and told not in partners:
        raise SettingsError(f"payer {said['id']}: coverage_requirements is one of the partners")
    named = (said["id"], said["name"], identifiers, said["line_of_business"], said["partner"])
    reached = (str(said.get("portal", "")), str(said.get("fax", "")), told, str(said.get("pharmacy_benefit", "")))
    return Payer(*named, pathway, *reached, subscribes=subscribes)


PATHWAYS = ("pas", "portal", "fax")
"""How a payer is asked to authorize."""


def _partner(key: str, said: Mapping[str, Any], filled: Callable[[str | None], str | None]) -> Partner:
    return Partner(
        key,
        filled(said.get("base") if "folder" in said else said["base"]) or "",
        token_url=filled(said.get("token_url")),
        client_id=said.get("client_id"),
        scope=said.get("scope", ""),
        notification_secret=said.get("notification_secret"),
        api_key=said.get("api_key"),
        content=content(said),
        handshake=bool(said.get("handshake")),
        folder=Path(filled(said["folder"]) or "") if "folder" in said else None,
    )


def _referrer(client: str, said: Mapping[str, Any], partners: Mapping[str, Any]) -> Referrer:
    return Referrer(
        client,
        said["name"],
        answers_to=said.get("answers_to"),
        sees_all=bool(said.get("sees_all")),
        answers=ways(said, partners),
        patience=patience(said),
        reads_from=said.get("reads_from"),
        notification_secret=said.get("notification_secret"),
        brings=frozenset(said.get("brings", ())),
    )


def _home(document: Mapping[str, Any]) -> HomeNursing | None:
    found = document.get("home_nursing")
    return home_nursing(found, document.get("partners", ()), document.get("referrers", ())) if found else None


def _messaging(document: Mapping[str, Any]) -> Messaging | None:
    found = document.get("messaging")
    return messaging(found, document.get("partners", {})) if found else None


def _infusion_site(document: Mapping[str, Any]) -> InfusionSite:
    opened = {DAYS[day]: hours(text, "hours") for day, text in document["hours"].items()}
    nurses = []
    for nurse in document["nurses"]:
        begins, ends = hours(nurse["shift"], "shift")
        nurses.append(Nurse(nurse["id"], frozenset(DAYS[d] for d in nurse["days"]), begins, ends))
    return InfusionSite(
        document["id"],
        document["name"],
        ZoneInfo(document["time_zone"]),
        opened,
        int(document["chairs"]),
        tuple(nurses),
        frozenset(document.get("closed_on", ())),
    )
