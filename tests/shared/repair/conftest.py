"""A world in which messages really go from outbox to inbox, and are lost on the way when a test says so."""

from __future__ import annotations

import pytest

from tests.shared.repair.mending import Pair, paired
from tests.shared.world import World


@pytest.fixture
async def pair(world: World) -> Pair:
    """alpha says orders, beta hears them and notes each in a claim."""
    return await paired(world)
