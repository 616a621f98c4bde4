"""Counts the days and months of an appeal: until when it is filed, until when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from services.auth.words import days_after
from shared.dates import months_later


def last_day(level: Mapping[str, Any], notice: date) -> date | None:
    """The last day to file at a level, by the date of the notice; None where the level has no deadline of its own."""
    file = level.get("file")
    if file is None:
        return None
    received = days_after(notice, file.get("received_after_days", 0))
    return months_later(received, file["months"]) if "months" in file else days_after(received, file["days"])


def decided_by(level: Mapping[str, Any], item: str, urgency: str, filed: datetime, zone: tzinfo) -> str:
    """When a reviewer must have decided, as FHIR says it: a date, or an instant for hours; empty where nothing says."""
    clocks = level.get("decide") or {}
    of_item = clocks.get("drug") if item == "drug" else None
    clock = clocks.get("expedited") if urgency == "expedited" else None
    clock = clock or of_item or clocks.get("standard") or {}
    if "hours" in clock:
        ends = filed.astimezone(UTC) + timedelta(hours=clock["hours"])
        return ends.astimezone(zone).isoformat(timespec="seconds")
    return days_after(filed.astimezone(zone).date(), clock["days"]).isoformat() if clock else ""
