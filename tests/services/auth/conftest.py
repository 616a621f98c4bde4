"""Leaves out the tests on published examples and packages where these do not stand beside the checkout."""

from __future__ import annotations

from pathlib import Path

_SHARED = Path(__file__).resolve().parents[3].parent / "shared"
_NEEDED = {
    "test_discovery_profiles.py": _SHARED / "packages",
    "test_odd_requests.py": _SHARED / "packages",
    "test_published_answers.py": _SHARED / "examples" / "davinci-pas-2.2.1",
}

collect_ignore = [test for test, folder in _NEEDED.items() if not folder.is_dir()]
