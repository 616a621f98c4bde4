"""What each service may do on RabbitMQ: its own queues, the kinds it says, the kinds it hears; nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from shared.adapters.amqp import EXCHANGE
from shared.core import Service


@dataclass(frozen=True, slots=True)
class Rights:
    """The permissions of one user: on names of queues and exchanges, and on the routing keys of the exchange."""

    user: str
    permissions: Mapping[str, str]
    keys: Mapping[str, str]


def rights_of(service: Service, declared: Sequence[Service], vhost: str) -> Rights:
    """The least a service can work with; the parking queues belong to the operator alone.

    It makes and reads its own queues, binds them to what it hears, and says what it owns or, as a backfill, to one
    other service.
    """
    own = rf"{service.name}\.p[0-9]+"
    reached = rf"^({EXCHANGE}|{own})$"
    said = _keys({*service.owns, *(s.name for s in declared if s.name != service.name)})
    heard = _keys({*service.listens, service.name})
    permissions = {"configure": f"^{own}$", "write": reached, "read": reached}
    return Rights(_user(service.name, vhost), permissions, {"exchange": EXCHANGE, "write": said, "read": heard})


def _keys(names: Iterable[str]) -> str:
    return rf"^({'|'.join(sorted(names))})\.p[0-9]+$"


def _user(service: str, vhost: str) -> str:
    """Users belong to the whole broker, so that of another vhost has another name."""
    return f"carepod-{service}" if vhost == "/" else f"{vhost}-{service}"


def grant(management: httpx.Client, vhost: str, rights: Rights, password: str) -> None:
    """Makes the user, or gives it this password and exactly these rights. Raises httpx.HTTPError. Safe twice."""
    user, place = quote(rights.user, safe=""), f"{quote(vhost, safe='')}/{quote(rights.user, safe='')}"
    for path, body in (
        (f"users/{user}", {"password": password, "tags": ""}),
        (f"permissions/{place}", dict(rights.permissions)),
        (f"topic-permissions/{place}", dict(rights.keys)),
    ):
        management.put(f"/api/{path}", json=body).raise_for_status()


def address_of_service(folder: Path, service: str, amqp_url: str, user: str) -> tuple[Path, str]:
    """The file with a service's own address of the broker, made (0600) where there is none, and its password."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{service}.amqp"
    if not file.exists():
        parts = urlsplit(amqp_url)
        host = parts.netloc.rpartition("@")[2]
        address = urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{secrets.token_urlsafe(32)}@{host}"))
        file.touch(mode=0o600)
        file.write_text(address + "\n", encoding="utf-8")
    return file, str(urlsplit(file.read_text(encoding="utf-8").strip()).password)
