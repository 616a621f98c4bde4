"""The worked example of the README is what `$preauthorization-check` answers."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.preauthorization import AT, policy
from services.auth.criteria.precheck import precheck
from shared.fhir.json import decode
from shared.settings import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Prior authorization, by example")[2].partition("\n## ")[0]


def parts(parameter: Any) -> dict[str, Any]:
    """Name of each part -> its value, a Coding by its code."""
    values = {p["name"]: next(v for k, v in p.items() if k.startswith("value")) for p in parameter["part"]}
    return {k: v["code"] if isinstance(v, dict) and "code" in v else v for k, v in values.items()}


def answered() -> Any:
    [file] = re.findall(r"`(contracts/examples/referrals/\S+\.json)`", SECTION)
    return precheck(decode((ROOT / file).read_bytes()), {}, policy(), AT)["parameter"]


def test_its_table_is_the_answer() -> None:
    told = re.findall(r"^\| `(\S+)` \| (\S+) \| (.+) \|$", SECTION, re.MULTILINE)
    criteria = [parts(p) for p in answered() if p["name"] == "criterion"]
    assert told == [(c["code"], c["verdict"], c["text"]) for c in criteria]


def test_its_smallest_set_is_the_answers() -> None:
    [sentence] = re.findall(r"would complete the request: ([^.]+)\.", SECTION)
    missing = [parts(p)["criterion"] for p in answered() if p["name"] == "missing"]
    assert re.findall(r"`(\S+)`", sentence) == missing
