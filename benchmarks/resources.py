"""Resources of exact sizes for the validation benchmark, made from the checked-in examples, the same on every run."""

from __future__ import annotations

import copy
import json
import re
from decimal import Decimal
from typing import Any

from shared.core import CANONICAL
from shared.fhir.json import decode, encode
from shared.settings import ROOT

EXAMPLES = ROOT / "contracts" / "examples"
_PERSONAL = re.compile(r'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-)[0-9a-f]{12}|("(?:text|display)":")[^"\\]{4,}')
"""Our ids, wherever they stand, and texts long enough to be changed."""
CARRIED = (
    *("filler-order/full", "referral-task/full", "patient/full", "coverage/full", "medication-request/full"),
    *("condition/full", "condition/minimal", "consent/full", "document-reference/full", "location/full"),
    *("observation/full",) * 5,
    *("practitioner/full", "practitioner-role/full", "organization/full", "organization/minimal"),
)
"""What the message carries: a whole referral with five results."""


def service_request(size: int = 600) -> dict[str, Any]:
    """A received order: its minimal example, and of the full one what fits into this many bytes."""
    order = example("received-order/minimal")
    for name, value in example("received-order/full").items():
        if name not in order and length({**order, name: value}) <= size - len(_note("")):
            order[name] = value
    return padded(order, size)


def task(size: int = 5000) -> dict[str, Any]:
    """A referral's Task: its full example, with gap after gap in `output` up to this many bytes."""
    made = example("referral-task/full")
    (gap, *_) = made["output"]
    while length(made) + length(gap) + len(_note("")) < size:
        made["output"].append(copy.deepcopy(gap))
    return padded(made, size)


def bundle() -> dict[str, Any]:
    """A decision's message of twenty entries, each declaring its profile."""
    message = example("decision-message/full")
    header = message["entry"][0]["resource"]
    carried = [_numbered(example(name), number) for number, name in enumerate(CARRIED)]
    header["focus"] = [{"reference": f"{carried[0]['resourceType']}/{carried[0]['id']}"}]
    message["entry"] = [
        {"fullUrl": f"{CANONICAL}{r['resourceType']}/{r['id']}", "resource": r} for r in (header, *carried)
    ]
    return message


def variants(resource: dict[str, Any], count: int = 0) -> list[dict[str, Any]]:
    """A megabyte of copies of the same size whose ids, references and texts differ, as those of patients do.

    Their codes are the same. `count` asks for so many instead.
    """
    text = encode(resource).decode()
    return [_varied(text, number) for number in range(1, (count or max(32, 10**6 // len(text))) + 1)]


def _varied(text: str, number: int) -> dict[str, Any]:
    def changed(found: re.Match[str]) -> str:
        return f"{found[1] or found[2]}{number:04x}{found[0][len(found[1] or found[2]) + 4 :]}"

    return decode(_PERSONAL.sub(changed, text).encode())


def padded(resource: dict[str, Any], size: int) -> dict[str, Any]:
    """The resource with a note of such a length that its JSON has exactly this many bytes."""
    missing = size - length({**resource, "note": [{"text": ""}]})
    if missing < 1:
        raise ValueError(f"{resource['resourceType']}: {-missing} bytes more than {size}")
    return {**resource, "note": [{"text": ("Please call before noon. " * size)[:missing].replace(" ", "_")}]}


def length(resource: dict[str, Any]) -> int:
    """Bytes of its JSON."""
    return len(encode(resource))


def example(name: str) -> dict[str, Any]:
    """A checked-in example, decimals exact."""
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_bytes(), parse_float=Decimal)
    return found


def one_of_each() -> list[dict[str, Any]]:
    """The fullest example of every profile."""
    return [example(f"{path.parent.name}/full") for path in sorted(EXAMPLES.glob("*/full.json"))]


def _numbered(resource: dict[str, Any], number: int) -> dict[str, Any]:
    """A resource with an id that no other entry has."""
    return {**resource, "id": f"{resource['id'][:-2]}{number:02}"}


def _note(text: str) -> bytes:
    return encode({"note": [{"text": text}]})
