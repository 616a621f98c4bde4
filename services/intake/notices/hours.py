"""When a patient may be written to: within the practice's hours for notices, in the local time of its site."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.policy import Figures


def allowed_from(at: datetime, zone: ZoneInfo, figures: Figures) -> datetime:
    """The instant itself where it lies in the hours for notices, else the next one that does (in UTC).

    Hours are half open, [from, until). Without figures that the practice decides by there are no quiet hours.
    """
    local = at.astimezone(zone)
    hours = _hours(local.date(), figures)
    if hours is None or hours[0] <= local.time() < hours[1]:
        return at
    on = local.date() if local.time() < hours[0] else local.date() + timedelta(days=1)
    return datetime.combine(on, hours[0], zone).astimezone(UTC)


def _hours(on: date, figures: Figures) -> tuple[time, time] | None:
    begins, ends = (figures.all(name, on) for name in ("notices_from", "notices_until"))
    if not begins or not ends:
        return None
    return time.fromisoformat(begins[0].value), time.fromisoformat(ends[0].value)
