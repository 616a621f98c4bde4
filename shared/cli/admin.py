"""`carepod migrate`, `topology`, `clients`, `version`: what is done once, before or beside serving."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

import httpx
import typer

from shared.adapters.clients import SqlClientStore
from shared.adapters.migrations import migrate_postgres, migrate_sqlite
from shared.adapters.rabbitmq import declare_topology, policies_of
from shared.adapters.rights import address_of_service, grant, rights_of
from shared.cli.common import NO_ANSWER, NOT_TRIED, Context, failed, run, say
from shared.clock import system_clock
from shared.core import Service
from shared.footing import open_database
from shared.settings import Settings, SettingsError
from shared.smart.clients import Client, ClientError, registered
from shared.smart.keys import key_file, public_jwks
from shared.version import VERSION

clients = typer.Typer(no_args_is_help=True)


def version() -> None:
    """The version of this Carepod."""
    say(VERSION)


def migrate(context: typer.Context) -> None:
    """Brings every service's tables up to date. Safe twice, and from two machines at once."""
    given: Context = context.obj
    settings, _, services = given.settled()
    names = [s.name for s in services]
    if settings.database_url:
        run(migrate_postgres(settings.database_url, names), "migrating")
    else:
        run(migrate_sqlite(settings.folder, names), "migrating")
    say(f"up to date: {', '.join(names)}")


def topology(
    context: typer.Context,
    management: Annotated[
        str | None,
        typer.Option(
            envvar="CAREPOD_RABBITMQ_MANAGEMENT_URL",
            help="RabbitMQ management address; none: the policies are printed.",
        ),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also a user for each service; its address is written to SERVICE.amqp."),
    ] = None,
) -> None:
    """Declares exchanges, queues, parking queues and policies on RabbitMQ. Safe twice.

    With --users each service gets a user that may make, read and bind its own queues and say what it owns, and nothing
    else: give it the address of its file as CAREPOD_AMQP_URL. The command's own user must be an administrator.
    """
    given: Context = context.obj
    settings, _, services = given.settled()
    if not settings.amqp_url:
        raise failed(NOT_TRIED, "CAREPOD_AMQP_URL: the address of RabbitMQ would be right")
    listens = {service.name: service.listens for service in services}
    run(declare_topology(settings.amqp_url, listens, settings.partitions), "declaring")
    for name, policy in policies_of(listens).items():
        if management:
            _put_policy(management, settings.amqp_url, name, policy)
        else:
            say(f"policy {name}: {json.dumps(policy)}")
    if users is not None:
        _granted(management, settings.amqp_url, services, users)
    say("topology declared")


def _granted(management: str | None, amqp_url: str, services: Sequence[Service], folder: Path) -> None:
    if not management:
        raise failed(NOT_TRIED, "--users: the address of RabbitMQ's management (--management) would be right")
    vhost = _vhost(amqp_url)
    try:
        with httpx.Client(base_url=management.rstrip("/"), timeout=10.0, trust_env=False) as http:
            for service in services:
                rights = rights_of(service, services, vhost)
                file, password = address_of_service(folder, service.name, amqp_url, rights.user)
                grant(http, vhost, rights, password)
                say(f"user {rights.user}: {file}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise failed(NO_ANSWER, f"RabbitMQ management does not take the users ({type(error).__name__})") from None


def _vhost(amqp_url: str) -> str:
    return unquote(httpx.URL(amqp_url).path.removeprefix("/")) or "/"


def _put_policy(management: str, amqp_url: str, name: str, policy: dict[str, Any]) -> None:
    address = f"{management.rstrip('/')}/api/policies/{quote(_vhost(amqp_url), safe='')}/{name}"
    try:
        httpx.put(address, json=policy, timeout=10.0, trust_env=False).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise failed(NO_ANSWER, f"RabbitMQ management does not take the policy ({type(error).__name__})") from None


@clients.command("key")
def clients_key(
    file: Annotated[Path, typer.Argument(help="Private key (PEM, P-384); made where there is none.")],
) -> None:
    """Makes a private key for an outside program, and prints its public half as `clients add` takes it (JWKS)."""
    try:
        say(json.dumps(public_jwks(key_file(file))))
    except SettingsError as error:
        raise failed(NOT_TRIED, str(error)) from None


@clients.command("add")
def clients_add(
    context: typer.Context,
    client_id: Annotated[str, typer.Argument(help="Its id, as in the site file's `referrers`.")],
    jwks: Annotated[Path, typer.Option(help="File with its public keys (JWKS).")],
    scopes: Annotated[str, typer.Option(help="The most it may have.")] = "system/*.cruds",
    name: Annotated[str, typer.Option(help="Whom the keys belong to.")] = "",
) -> None:
    """Registers an outside program with its public keys, or replaces them."""
    given: Context = context.obj
    settings, _, services = given.settled()
    try:
        client = registered(client_id, name or client_id, jwks, scopes)
    except ClientError as error:
        raise failed(NOT_TRIED, str(error)) from None
    run(add_client(settings, services, client), "registering")
    say(f"registered: {client_id}")


async def add_client(settings: Settings, services: Sequence[Service], client: Client) -> None:
    """Registers a client with every service, so that each process knows who may come."""
    if not settings.database_url:
        await migrate_sqlite(settings.folder, [s.name for s in services])
    for service in services:
        database = await open_database(settings, service.name)
        try:
            await SqlClientStore(database, system_clock).add(client)
        finally:
            await database.close()
