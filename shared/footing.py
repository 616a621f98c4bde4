"""What the services of one process stand on: the engines the settings name, or the laptop's own."""

from __future__ import annotations

import fcntl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import httpx
import redis.asyncio as redis

from shared.adapters.memory import MemoryBroker
from shared.adapters.postgres import PostgresDatabase
from shared.adapters.rabbitmq import RabbitBroker
from shared.adapters.sqlite import SqliteDatabase
from shared.ports import Broker, Database
from shared.settings import Settings, SettingsError
from shared.workers import POLL


@dataclass(frozen=True, slots=True)
class Footing:
    """What the services of one process stand on. `transport`: how others are reached (None: the network).

    `poll`: seconds between two looks for work nobody announced.
    """

    database: Callable[[str], Awaitable[Database]]
    broker: Callable[[Sequence[str]], Broker]
    redis: Callable[[], redis.Redis]
    transport: httpx.AsyncBaseTransport | None = None
    poll: float = POLL


def footing_of(settings: Settings) -> Footing:
    """The engines that the settings name, or the laptop's own."""
    return Footing(partial(open_database, settings), partial(_broker, settings), partial(_redis, settings))


async def open_database(settings: Settings, service: str) -> Database:
    """The database of one service, where the settings say."""
    if settings.database_url:
        return await PostgresDatabase.open(settings.database_url, service)
    return await SqliteDatabase.open(settings.folder / f"{service}.db")


def _broker(settings: Settings, names: Sequence[str]) -> Broker:
    if settings.amqp_url:
        return RabbitBroker(settings.amqp_url, settings.partitions, name=f"carepod {' '.join(names)}")
    return MemoryBroker()


def _redis(settings: Settings) -> redis.Redis:
    if settings.redis_url:
        return redis.Redis.from_url(settings.redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
    import fakeredis

    return fakeredis.FakeAsyncRedis()


def folder_lock(folder: Path) -> IO[str]:
    """The right to work in this folder, until it is closed: two processes would each hold a part of the truth.

    Raises SettingsError where another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SettingsError(
            f"{folder} is in use by another carepod; stop it, or set CAREPOD_FOLDER to another folder"
        ) from None
    return lock
