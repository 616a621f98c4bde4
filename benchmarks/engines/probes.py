"""Whether an engine answers in its own protocol, asked with a few bytes and no client library."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from benchmarks.engines.model import EnginesError

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports that are free now and were given to nobody here before, nor are given to outgoing connections meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                found.append(port)
    return found


def _startup_message() -> bytes:
    body = struct.pack("!I", 196608) + b"user\0carepod\0database\0postgres\0\0"
    return struct.pack("!I", len(body) + 4) + body


_QUESTIONS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "postgresql": (_startup_message(), (b"R",)),
    "rabbitmq": (b"AMQP\x00\x00\x09\x01", (b"\x01",)),
    "rabbitmq-management": (b"GET /api/overview HTTP/1.0\r\nHost: localhost\r\n\r\n", (b"HTTP/",)),
    "redis": (b"PING\r\n", (b"+PONG", b"-NOAUTH")),
}
"""What each engine is asked, and how its answer begins once it serves clients (while recovering it says otherwise)."""


def answers(name: str, host: str, port: int) -> bool:
    """Whether the engine serves clients on this port now."""
    question, beginnings = _QUESTIONS[name]
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(question)
            return connection.recv(16).startswith(beginnings)
    except OSError:
        return False


def wait(ports: dict[str, int], seconds: float, alive: Callable[[], None], host: str = "127.0.0.1") -> None:
    """Returns when every engine of {name: port} answers; `alive` raises when one of them has ended meanwhile.

    Raises EnginesError naming those that do not answer within `seconds`.
    """
    waiting, until = dict(ports), time.monotonic() + seconds
    while waiting := {name: port for name, port in waiting.items() if not answers(name, host, port)}:
        alive()
        if time.monotonic() > until:
            raise EnginesError(f"{', '.join(waiting)}: no answer within {seconds:.0f} s")
        time.sleep(0.05)
