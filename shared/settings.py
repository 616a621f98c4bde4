"""Settings from the environment and the site's own configuration file, checked once at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

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
    """A payer as this practice knows it: how its Coverage is recognised and which partner reaches it."""

    id: str
    name: str
    identifiers: tuple[tuple[str, str], ...]
    line_of_business: str
    partner: str


@dataclass(frozen=True, slots=True)
class Partner:
    """An outside party we call: base address, and where SMART Backend Services gives us a token."""

    id: str
    base: str
    token_url: str | None = None
    client_id: str | None = None
    scope: str = ""
    notification_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Referrer:
    """A client that pushes to us: which partner takes our answers (None: it reads them here).

    It sees the patients it has sent, and all patients only where `sees_all`.
    """

    client: str
    name: str
    answers_to: str | None = None
    sees_all: bool = False


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
        )


def _peers(text: str) -> dict[str, str]:
    """`intake=http://...,auth=http://...` -> {name: address}."""
    peers = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, found, address = part.partition("=")
        if not found or not address.startswith(("http://", "https://")):
            raise SettingsError("CAREPOD_PEERS: `service=http://host:port`, separated by commas, would be right")
        peers[name] = address.rstrip("/")
    return peers


_DAYS = {name: n for n, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}


def load_site(path: Path, *, partners_url: str, base_url: str) -> Site:
    """Reads a site file; `{partners}` and `{base}` in addresses become the given addresses.

    Raises SettingsError naming the place in the file and what would be right.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"site file {path}: {error}") from None
    try:
        return _site(document, {"{partners}": partners_url, "{base}": base_url})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"site file {path}: {type(error).__name__} {error}") from None


def _site(document: Mapping[str, Any], addresses: Mapping[str, str]) -> Site:
    def filled(text: str | None) -> str | None:
        for key, value in addresses.items():
            text = text.replace(key, value) if text else text
        return text

    return Site(
        organization=document["organization"]["name"],
        npi=str(document["organization"]["npi"]),
        sites=tuple(_infusion_site(s) for s in document["sites"]),
        payers=tuple(
            Payer(
                p["id"],
                p["name"],
                tuple((i["system"], str(i["value"])) for i in p["identifiers"]),
                p["line_of_business"],
                p["partner"],
            )
            for p in document.get("payers", ())
        ),
        partners={
            key: Partner(
                key,
                filled(p["base"]) or "",
                filled(p.get("token_url")),
                p.get("client_id"),
                p.get("scope", ""),
                p.get("notification_secret"),
            )
            for key, p in document.get("partners", {}).items()
        },
        referrers={
            key: Referrer(key, r["name"], r.get("answers_to"), bool(r.get("sees_all")))
            for key, r in document.get("referrers", {}).items()
        },
        adopted=tuple(Adoption(a["policy"], a["by"], a["adopted_on"]) for a in document.get("adopted_drafts", ())),
        auto_confirm=frozenset(document.get("auto_confirm", ())),
        pharmacy=document.get("pharmacy"),
    )


def _infusion_site(document: Mapping[str, Any]) -> InfusionSite:
    def span(text: str) -> tuple[time, time]:
        begins, ends = (time.fromisoformat(t.strip()) for t in text.split("-"))
        if begins >= ends:
            raise ValueError(f"hours {text}: the first time must be before the second")
        return begins, ends

    hours = {_DAYS[day]: span(text) for day, text in document["hours"].items()}
    nurses = []
    for nurse in document["nurses"]:
        begins, ends = span(nurse["shift"])
        nurses.append(Nurse(nurse["id"], frozenset(_DAYS[d] for d in nurse["days"]), begins, ends))
    return InfusionSite(
        document["id"],
        document["name"],
        ZoneInfo(document["time_zone"]),
        hours,
        int(document["chairs"]),
        tuple(nurses),
        frozenset(document.get("closed_on", ())),
    )
