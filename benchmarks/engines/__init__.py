"""RabbitMQ, PostgreSQL and Redis for one run of tests or of a benchmark: as named, else started and stopped here."""

from __future__ import annotations

from benchmarks.engines.model import Engine, Engines, EnginesError
from benchmarks.engines.provide import provided

__all__ = ["Engine", "Engines", "EnginesError", "provided"]
