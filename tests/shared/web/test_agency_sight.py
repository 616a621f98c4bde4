"""An outside agency sees the Tasks it is asked to do, and nothing else of their patients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.app import Application
from shared.settings import ROOT, load_site
from shared.smart.scopes import parse
from shared.smart.tokens import Access
from shared.web.sight import Sight

SITE = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://p", base_url="http://b")
SIGHT = Sight(cast("Application", SimpleNamespace(site=SITE, door=None)))
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "id": "nu-1",
    "for": {"reference": "Patient/in-1"},
    "owner": {"identifier": {"system": "https://carepod.example/id/agency", "value": "valley-home"}},
}
ROLE = {"identifier": {"system": "https://carepod.example/id/role", "value": "valley-home"}}
PRACTICE = {"security": [{"system": "https://carepod.example/id/sight", "code": "practice"}]}


def access(client: str) -> Access:
    return Access(client, parse("system/Task.ru"), datetime(2026, 12, 1, tzinfo=UTC) + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("client", "resource", "seen"),
    [
        ("valley-home", TASK, True),
        ("plains-visiting", TASK, False),
        ("mercy-ehr", TASK, False),
        ("valley-home", {**TASK, "owner": ROLE}, False),
        ("valley-home", {k: v for k, v in TASK.items() if k != "owner"}, False),
        ("valley-home", {"resourceType": "Patient", "id": "in-1"}, False),
        ("valley-home", {**TASK, "resourceType": "Appointment"}, False),
        ("valley-home", {**TASK, "meta": PRACTICE}, False),
    ],
)
async def test_only_the_agency_asked_sees_a_task_and_only_that(client: str, resource: Any, seen: bool) -> None:
    found = await SIGHT.among(access(client), [(resource, "in-1")])
    assert bool(found) is seen
