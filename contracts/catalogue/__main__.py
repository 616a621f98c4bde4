"""`python -m contracts.catalogue [--check]`: writes every generated page of the catalogue, or compares it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from contracts.catalogue import asyncapi, definitions, drawing, ladder, page, referrals
from contracts.catalogue.declarations import DeclarationError, demo_services
from services.auth.rules import RULES
from services.auth.tasks import TASK_STATUS
from shared.borders import unknown_profiles
from shared.core import Resource, Service

FOLDER = Path(__file__).resolve().parents[1]
_HEAD = "# Made by `python -m contracts.catalogue` from the services' declarations; do not edit.\n"


class _Plain(yaml.SafeDumper):
    """YAML that repeats what is said twice, for readers that know no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def pages(services: Sequence[Service]) -> Iterator[tuple[str, str]]:
    """(path below `contracts/`, text) of every generated file."""
    yield "asyncapi.yaml", _yaml(asyncapi.asyncapi(services))
    yield "messages.md", page.page(services)
    yield "referrals.md", referrals.page()
    yield page.MAP, drawing.drawing(services)
    yield "preauthorization.svg", ladder.drawing(RULES, TASK_STATUS)
    yield "capability/CapabilityStatement-carepod.json", _json(definitions.statement(services))
    yield "capability/MessageDefinitions.json", _json(definitions.messages(services))
    for operation in definitions.operations(services):
        yield f"capability/OperationDefinition-{operation['id']}.json", _json(operation)


def _yaml(document: object) -> str:
    return _HEAD + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def _json(resource: Resource) -> str:
    return json.dumps(resource, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Writes the files; with `--check`, names those that differ and answers 1."""
    services = demo_services()
    try:
        made = {folder / name: text for name, text in pages(services)}
    except DeclarationError as error:
        print(error)
        return 1
    if unknown := [text for service in services for text in unknown_profiles(service)]:
        print("\n".join(unknown))
        return 1
    if "--check" in arguments:
        stale = [path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(folder)}: not what the services declare; `python -m contracts.catalogue`")
        return int(bool(stale))
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
