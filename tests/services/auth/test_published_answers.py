"""The answers published with Da Vinci PAS 2.2.1, read as a payer's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.auth.wire.responses import responses_in, reviews

EXAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "examples" / "davinci-pas-2.2.1"


def published(name: str) -> dict[str, Any]:
    (response,) = responses_in(json.loads((EXAMPLES / name).read_text(encoding="utf-8")))
    return response


PUBLISHED = [
    ("Bundle-ReferralAuthorizationResponseBundleExample.json", "A1", "AUTH0001"),
    ("Bundle-ReferralPendingAuthorizationResponseBundleExample.json", "A4", None),
    ("ClaimResponse-RejectionResponseExample.json", "A3", None),
    ("Bundle-PASSubscriptionNotification.json", "A1", "AUTH0001"),
]


@pytest.mark.parametrize(("name", "action", "number"), PUBLISHED)
def test_a_published_answer_is_read(name: str, action: str, number: str | None) -> None:
    (review,) = reviews(published(name))
    assert (review.sequence, review.action, review.number) == (1, action, number)
