"""The message catalogue, from the services' declarations: `python -m contracts.catalogue [--check]`.

Who says what with which resource types, and who hears it. The checked-in file is what a reader or another team relies
on; a test keeps it equal to the declarations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from services import declared
from shared.core import Service
from shared.messages import EVENT
from shared.settings import ROOT, load_site

FILE = Path(__file__).with_name("catalogue.yaml")
_HEAD = "# Made by `python -m contracts.catalogue` from the services' declarations; do not edit.\n"


def catalogue(services: Sequence[Service]) -> dict[str, Any]:
    """{service: {owns, listens, hears: {service: types}, says: [eventUri]}}, everything sorted."""
    return {
        service.name: {
            "ids_begin_with": f"{service.prefix}-",
            "owns": sorted(service.owns),
            "listens": sorted(service.listens),
            "hears": {
                other.name: heard
                for other in services
                if other.name != service.name and (heard := sorted(service.listens & other.owns))
            },
            "says": [EVENT + reason for reason in sorted(service.reasons)],
            "delivers": sorted(channel.name for channel in service.channels),
        }
        for service in services
    }


def written() -> str:
    """The file's text for the demo practice's services."""
    site = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://partners", base_url="http://carepod")
    return _HEAD + yaml.safe_dump(catalogue(declared(site)), sort_keys=False, width=120)


def main(arguments: Sequence[str]) -> int:
    """Writes the file; with `--check`, 1 where it differs from the declarations."""
    if "--check" in arguments:
        return int(FILE.read_text(encoding="utf-8") != written())
    FILE.write_text(written(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
