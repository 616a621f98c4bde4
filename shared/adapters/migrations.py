"""The tables of one service's database, brought up to date: safe twice and from two processes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import asyncpg

from shared.adapters.sqlite import SqliteDatabase

# Instants are ISO 8601 text in UTC with microseconds: the same order in both engines. Bodies are text: exact decimals.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        "create table meta (key text primary key, value text not null)",
        "insert into meta (key, value) values ('epoch', '1')",
        """create table lane (
            key text primary key, seq bigint not null default 0, at text not null default '',
            causes text not null default '{}', previous text not null default '{}')""",
        """create table resource (
            id text primary key, type text not null, lane text not null, owner text not null,
            epoch bigint not null, version bigint not null, updated text not null, body text not null)""",
        "create index resource_of_lane on resource (lane, type)",
        "create index resource_of_type on resource (type, updated)",
        """create table history (
            id text not null, epoch bigint not null, version bigint not null, at text not null,
            body text not null, primary key (id, epoch, version))""",
        """create table search (
            type text not null, parameter text not null, value text not null, id text not null,
            primary key (type, parameter, value, id))""",
        "create index search_of_resource on search (id)",
        """create table identity (
            client text not null, system text not null, value text not null, id text not null,
            primary key (client, system, value))""",
        """create table inbox (
            id text primary key, producer text not null, lane text not null, seq bigint not null,
            reason text not null, status text not null, attempt bigint not null default 0,
            next_at text not null default '', problem text not null default '', received_at text not null,
            about text not null default '[]', headers text not null, body text not null)""",
        "create index inbox_open on inbox (lane, producer, seq) where status in ('new', 'waiting', 'retry')",
        "create index inbox_due on inbox (next_at) where status in ('new', 'waiting', 'retry')",
        "create index inbox_parked on inbox (lane) where status = 'parked'",
        """create table outbox (
            id text primary key, lane text not null, seq bigint not null, partition bigint not null,
            reason text not null, keys text not null, headers text not null, body text not null,
            created_at text not null, sent_at text, problem text not null default '')""",
        "create index outbox_unsent on outbox (created_at, lane, seq) where sent_at is null",
        """create table wake (
            lane text not null, key text not null, due_at text not null, primary key (lane, key))""",
        "create index wake_due on wake (due_at)",
        """create table delivery (
            id text primary key, channel text not null, resource text not null, occurrence text not null,
            lane text not null, state text not null, attempt bigint not null default 0,
            fence bigint not null default 0, next_at text not null, lease_until text not null default '',
            problem text not null default '', created_at text not null, answered_at text)""",
        "create index delivery_due on delivery (channel, next_at) where state in ('prepared', 'in-doubt', 'sending')",
        "create index delivery_of_resource on delivery (resource)",
        """create table decision (
            id text primary key, at text not null, lane text not null, kind text not null, source text not null,
            event text not null, focus text not null, reason text not null, refusals text not null,
            evidence text not null, saves text not null, message text not null, trace text not null)""",
        "create index decision_of_lane on decision (lane, at)",
        """create table quarantine (
            id text primary key, at text not null, client text not null, place text not null,
            issues text not null, body text not null)""",
        """create table capacity (
            resource text not null, cell bigint not null, seat bigint not null, holder text not null,
            primary key (resource, cell, seat))""",
        "create index capacity_of_holder on capacity (holder)",
        """create table client (
            id text primary key, name text not null, jwks text not null, scopes text not null,
            disabled text not null default '', added_at text not null)""",
        """create table jti (
            client text not null, jti text not null, until text not null, primary key (client, jti))""",
        "create index jti_until on jti (until)",
    ),
    ("create index inbox_backfilled on inbox (lane, producer, seq) where reason = 'backfilled'",),
    ("create index identity_of_resource on identity (id, client)",),
)


async def migrate_sqlite(folder: Path, services: Iterable[str]) -> None:
    """Brings the file of every service up to date."""
    for service in services:
        database = await SqliteDatabase.open(folder / f"{service}.db")
        try:
            async with database.writing() as tx:
                await tx.execute("create table if not exists migration (version bigint primary key)")
                done = {row[0] for row in await tx.fetch("select version from migration")}
                for version, statements in enumerate(STEPS, 1):
                    if version not in done:
                        for statement in statements:
                            await tx.execute(statement)
                        await tx.execute("insert into migration (version) values ($1)", version)
        finally:
            await database.close()


async def migrate_postgres(url: str, services: Iterable[str]) -> None:
    """Brings schema and role of every service up to date, one process at a time (advisory lock)."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for service in services:
            await _patiently(connection, service)
    finally:
        await connection.close()


async def _patiently(connection: asyncpg.Connection, service: str) -> None:
    """Roles belong to the cluster and the lock to one database: another database's migration may grant the same now."""
    for turn in range(10):
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(hashtext('carepod-migrate'))")
                await _schema(connection, service)
                await _tables(connection, service)
        except (asyncpg.InternalServerError, asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            if turn == 9:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _tables(connection: asyncpg.Connection, service: str) -> None:
    await connection.execute(f"set local search_path to {service}")
    await connection.execute("create table if not exists migration (version bigint primary key)")
    done = {row[0] for row in await connection.fetch("select version from migration")}
    for version, statements in enumerate(STEPS, 1):
        if version not in done:
            for statement in statements:
                await connection.execute(statement)
            await connection.execute("insert into migration (version) values ($1)", version)
    await connection.execute(
        f"grant select, insert, update, delete on all tables in schema {service} to carepod_{service}"
    )


async def _schema(connection: asyncpg.Connection, service: str) -> None:
    """Schema and role of one service."""
    role = f"carepod_{service}"
    if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
        await connection.execute(f"create role {role} nologin")
    if not await connection.fetchval("select pg_has_role(current_user, $1, 'member')", role):
        await connection.execute(f"grant {role} to current_user")
    await connection.execute(f"create schema if not exists {service}")
    await connection.execute(f"grant usage on schema {service} to {role}")
