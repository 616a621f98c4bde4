"""Practices that write to their patients, and one that cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.intake.consequences import Policy
from services.intake.service import POLICIES
from shared.messaging import Messaging
from shared.policy import load_figures
from tests.services.intake.conftest import Desk
from tests.services.intake.notices.told import MORNING


@pytest.fixture
def writing(policy: Policy) -> Desk:
    """A practice that writes to its patients, by mail and by text."""
    site = replace(policy.site, messaging=Messaging("hello@practice.example", "smtp://mail.test", "texts-prairie"))
    figures = load_figures("intake", POLICIES, ["intake/requirements", "intake/notices", "intake/notice-hours"])
    return Desk(replace(policy, site=site, figures=figures), at=MORNING)


@pytest.fixture
def silent(policy: Policy) -> Desk:
    """The same without any way to write."""
    figures = load_figures("intake", POLICIES, ["intake/requirements", "intake/notices", "intake/notice-hours"])
    return Desk(replace(policy, site=replace(policy.site, messaging=None), figures=figures), at=MORNING)
