"""Our examples as their profiles' folders keep them: whole ones, and wrong ones as patches of a whole one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from shared.core import CANONICAL
from shared.settings import ROOT

EXAMPLES = ROOT / "contracts" / "examples"
WRONG = "invalid.yaml"


@dataclass(frozen=True, slots=True)
class Example:
    """`name` is `<profile>/<name>`; `issue` what is expected of a wrong one (code, expression, rule), else None."""

    name: str
    resource: Mapping[str, Any]
    issue: Mapping[str, str] | None = None

    @property
    def profile(self) -> str:
        """The canonical of the profile it is an example of."""
        return f"{CANONICAL}StructureDefinition/{self.name.partition('/')[0]}"


def examples(folder: Path = EXAMPLES) -> Iterator[Example]:
    """Every example of every profile, those that hold before those that do not."""
    for profile in sorted(path for path in folder.iterdir() if (path / "minimal.json").exists()):
        whole = {path.stem: _read(path) for path in sorted(profile.glob("*.json"))}
        yield from (Example(f"{profile.name}/{name}", resource) for name, resource in whole.items())
        yield from _wrong(profile, whole)


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes(), parse_float=Decimal)


def _wrong(profile: Path, whole: Mapping[str, Any]) -> Iterator[Example]:
    listed = yaml.safe_load((profile / WRONG).read_text(encoding="utf-8")) if (profile / WRONG).exists() else ()
    for case in listed or ():
        issue = {key: case[key] for key in ("code", "expression", "rule") if key in case}
        yield Example(f"{profile.name}/{case['name']}", patched(whole[case["of"]], case["patch"]), issue)


def patched(resource: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """A copy with JSON Patch operations (RFC 6902) applied. Raises KeyError and IndexError where one cannot be."""
    changed = copy.deepcopy(resource)
    for operation in operations:
        parent, key = _at(changed, operation["path"])
        match operation["op"]:
            case "remove":
                del parent[key]
            case "replace":
                _ = parent[key]
                parent[key] = operation["value"]
            case "add":
                _added(parent, key, operation["value"])
            case "copy":
                origin, name = _at(changed, operation["from"])
                _added(parent, key, copy.deepcopy(origin[name]))
            case "move":
                origin, name = _at(changed, operation["from"])
                value = origin.pop(name)
                _added(*_at(changed, operation["path"]), value)
            case unknown:
                raise KeyError(unknown)
    return changed


def _at(resource: Any, pointer: str) -> tuple[Any, Any]:
    """What an element stands in, and its name or index there (JSON Pointer, RFC 6901)."""
    parent, (*above, last) = resource, [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]
    for part in above:
        parent = parent[int(part) if isinstance(parent, list) else part]
    if not isinstance(parent, list):
        return parent, last
    return parent, len(parent) if last == "-" else int(last)


def _added(parent: Any, key: Any, value: Any) -> None:
    if isinstance(parent, list):
        parent.insert(key, value)
    else:
        parent[key] = value
