"""Referrals by the thousand: the demo's iron referral with a patient, a placer and identifiers of its own each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from shared.cli.demo import REFERRALS, WRITTEN_ON
from shared.cli.push import shifted
from shared.core import IDENTIFIERS, derived_id
from shared.settings import ROOT

CLIENT = "mercy-ehr"
"""The client of the demo's site file that pushes."""
_NUMBER, _SITE = "424242", "riverside"
_MRN = "https://ehr.mercy.example/id/mrn"
_PLACER = "https://ehr.mercy.example/id/referral"
_HOURS = "08:00-18:00"


def serial(number: int) -> str:
    """A referral's number as it stands in its identifiers."""
    return f"{number:06d}"


def mrn(number: int) -> str:
    """Medical record number of the patient of one generated referral."""
    return f"MC-{serial(number)}"


def placer(number: int) -> str:
    """Placer identifier of one generated referral."""
    return f"REF-{serial(number)}"


def patient_id(number: int, client: str = CLIENT) -> str:
    """Our Patient id of one generated referral, as `docs/journey.md` derives it."""
    return derived_id("in", "Patient", client, _MRN, mrn(number))


class Template:
    """One referral of `contracts/examples/referrals` as a pattern, its dates moved to `today`.

    `changed` may alter the Bundle (a deep copy) before it becomes the pattern.
    """

    def __init__(
        self, today: date, case: str = "iron-meets-criteria", changed: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        bundle = json.loads(shifted((REFERRALS / f"{case}.json").read_bytes(), WRITTEN_ON, today))
        numbered = _numbered(deepcopy(bundle))
        if changed is not None:
            changed(numbered)
        self._text = json.dumps(numbered, ensure_ascii=False, separators=(",", ":")).encode()
        self._site = f'"system":"{IDENTIFIERS}site","value":"{_SITE}"'.encode()

    def referral(self, number: int, site: str = _SITE) -> bytes:
        """The referral of this number, 0 to 999999, for one of the practice's sites."""
        text = self._text.replace(_NUMBER.encode(), serial(number).encode())
        return text.replace(self._site, self._site.replace(_SITE.encode(), site.encode()))


def _numbered(value: Any) -> Any:
    """The value with a number in every identifier that tells one patient's record from another's."""
    if isinstance(value, list):
        return [_numbered(v) for v in value]
    if not isinstance(value, dict):
        return value
    filled = {k: _numbered(v) for k, v in value.items()}
    if "family" in filled:
        filled["family"] = f"{filled['family']} {_NUMBER}"
    if "subscriberId" in filled:
        filled["subscriberId"] = _member(filled["subscriberId"])
    match filled.get("system"), filled.get("value"):
        case str(system), str(text) if "/member" in system:
            return {**filled, "value": _member(text)}
        case str(system), _ if system == _MRN:
            return {**filled, "value": f"MC-{_NUMBER}"}
        case str(system), _ if system == _PLACER:
            return {**filled, "value": f"REF-{_NUMBER}"}
        case str(system), str(text) if "/id/" in system and not system.startswith(IDENTIFIERS):
            return {**filled, "value": f"{text}-{_NUMBER}"}
    return filled


def _member(text: str) -> str:
    """A member number of the same length that ends in the referral's number; Medicare's has letters there and stays."""
    return text[: -len(_NUMBER)] + _NUMBER if text[-len(_NUMBER) :].isdecimal() else text


def roomy_site(
    path: Path,
    sites: int = 4,
    *,
    chairs: int = 8,
    nurses: int = 6,
    without_drafts: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Writes the demo's site file with this many equal sites, open every working day; the ids of the sites.

    `without_drafts` are policies this practice has not adopted; `changes` replace parts of the file.
    """
    document = yaml.safe_load((ROOT / "deploy" / "sites" / "demo.yaml").read_text(encoding="utf-8"))
    ids = tuple(f"site-{n}" for n in range(1, sites + 1))
    document["sites"] = [_site(key, chairs, nurses) for key in ids]
    document["adopted_drafts"] = [d for d in document["adopted_drafts"] if d["policy"] not in without_drafts]
    path.write_text(yaml.safe_dump({**document, **(changes or {})}), encoding="utf-8")
    return ids


def _site(key: str, chairs: int, nurses: int) -> dict[str, Any]:
    days = ["mon", "tue", "wed", "thu", "fri"]
    staff = [{"id": f"{key}-rn-{n}", "days": days, "shift": _HOURS} for n in range(1, nurses + 1)]
    place = {"id": key, "name": f"Infusion center {key}", "time_zone": "America/Chicago"}
    return {**place, "hours": dict.fromkeys(days, _HOURS), "chairs": chairs, "nurses": staff}
