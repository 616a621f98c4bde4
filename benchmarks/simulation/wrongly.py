"""What a partner says wrongly: no JSON, another request's answer, another profile's status, an unsolicited final.

Law of this file: the partner has done what it was asked; only what it says of it is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

from benchmarks.simulation.weather import Weather

WAYS = ("no JSON", "another's", "another profile's status")
NOTIFIED = "/notifications/pas/"
_NUMBERED = re.compile(r"/[^/]*\d[^/]*$")
_CLAIM = re.compile(rb'("system":\s*"[^"]*/id/claim",\s*"value":\s*")([^"]+)')


class Wrongly:
    """Remembers what was said before; `said` counts what was said wrongly since."""

    def __init__(self, weather: Weather) -> None:
        self._weather, self._before = weather, dict[tuple[str, str], list[httpx.Response]]()
        self.said = 0

    def answer(self, request: httpx.Request, right: httpx.Response) -> httpx.Response:
        """The partner's answer, or a wrong one in its place."""
        if not right.is_success:
            return right
        before = self._before.setdefault((request.method, _NUMBERED.sub("", request.url.path)), [])
        earlier = [r for r in before if r.content != right.content]
        before.append(right)
        if not self._weather.happens(self._weather.wrong):
            return right
        self.said += 1
        way = self._weather.chance.choice(WAYS if earlier else WAYS[::2])
        if way == "another's":
            return _again(self._weather.chance.choice(earlier))
        return _with_status(right) if way == WAYS[2] else _page()

    def unsolicited(self, request: httpx.Request, body: bytes) -> Iterator[bytes]:
        """Before a payer's notification: the same about a Claim nobody sent."""
        if NOTIFIED in request.url.path and self._weather.happens(self._weather.wrong * 4):
            told, named = _CLAIM.subn(rb"\g<1>unknown-\g<2>", body)
            if named:
                self.said += 1
                yield told


def _again(response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def _page() -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<html>Please log in</html>")


def _with_status(response: httpx.Response) -> httpx.Response:
    """The answer with the status of a Slot in every resource that has one; a page where it is no JSON."""
    try:
        said = json.loads(response.content)
    except ValueError:
        return _page()
    headers = {k: v for k, v in response.headers.items() if k != "content-length"}
    return httpx.Response(response.status_code, headers=headers, content=json.dumps(_busy(said)).encode())


def _busy(value: Any) -> Any:
    if isinstance(value, list):
        return [_busy(v) for v in value]
    if not isinstance(value, dict):
        return value
    filled = {k: _busy(v) for k, v in value.items()}
    return {**filled, "status": "busy-tentative"} if {"resourceType", "status"} <= filled.keys() else filled
