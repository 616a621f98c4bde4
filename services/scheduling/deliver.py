"""Tells the pharmacy of every visit that is booked, moved or called off after it was booked."""

from __future__ import annotations

from shared.core import Channel
from shared.visits.pharmacy import due, send

PHARMACY = Channel("pharmacy", due, "idempotent", send)
