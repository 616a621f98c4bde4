"""`make contracts`: the FSH profiles compiled to the one table the border checks read; `--check` compares instead.

Anything SUSHI says, warnings included, stops the build. The form of the table is that of `shared/fhir/snapshots.py`;
beside it stand `fsh`, the sha256 of every source, so that an edit without a build is seen where there is no Node,
`sushi`, the compiler's version, and `codeSystems`, url -> codes of our own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from contracts import compile as core
from contracts import demands, lock, node, sushi
from shared.core import CANONICAL
from shared.fhir import snapshots
from shared.fhir.snapshots import unversioned
from shared.fhir.valuesets import expansions, nested

Definition = Mapping[str, Any]

COMPILED = Path(__file__).with_name("compiled") / "carepod.json.gz"
_STALE = "not that of the sources; `make contracts` would be right"
GENERATED = node.TOOLS / "fsh-generated" / "resources"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when compiled table and lock are (now) those of the sources, 1 when they are not, 2 when it was not tried."""
    parser = argparse.ArgumentParser(description="Compile the FSH profiles.")
    parser.add_argument("--check", action="store_true", help="compare with what is checked in, write nothing there")
    options = parser.parse_args(arguments)
    try:
        wrong = checked() if options.check else written()
    except (node.ToolError, lock.LockError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in wrong:
        print(line, file=sys.stderr)
    return int(bool(wrong))


def written() -> list[str]:
    """Writes the table, and the lock where there is one; nothing where anything stands against them."""
    made, wrong = compiled()
    if not wrong:
        COMPILED.write_bytes(gzip.compress(core.text(made), 9, mtime=0))
        print(f"{COMPILED.name}: {len(made['structures'])} structures, {len(made['codeSystems'])} code systems")
        if lock.FILE.exists():
            lock.FILE.write_text(lock.text(demands.contracts(made, demands.r4())), encoding="utf-8")
    return wrong


def checked() -> list[str]:
    """What is not as it should be of everything compiled or described, in words."""
    made, wrong = compiled()
    return wrong or [*differences(made), *core_differences(), *described()]


def compiled() -> tuple[dict[str, Any], list[str]]:
    """(the table of the sources, what stands against it). Raises ToolError, LockError and ValueError."""
    files, complaints = built = sushi.built()
    ours = built.definitions
    made = table(ours, base())
    keep(files)
    return made, list(complaints) or [*dangling(made, {d["url"] for d in ours}), *unkept(made)]


def core_differences() -> list[str]:
    """Whether the tables of R4 itself are those of the core definitions. Raises ToolError."""
    if not core.main([str(sushi.core_wheel()), "--check"]):
        return []
    right = "`python -m contracts.compile var/contracts/wheels/*.whl` would be right"
    return [f"{core.COMPILED.name} or {core.FURTHER}: not that of the core definitions; {right}"]


def described() -> list[str]:
    """What AsyncAPI's own parser says against the description of the messages. Raises ToolError."""
    here = Path(__file__).parent
    check = node.installed(here / "asyncapi", "asyncapi", ["check.mjs"]) / "check.mjs"
    run = node.ran([node.node(), str(check), str(here / "asyncapi.yaml")])
    return [run.stderr.strip() or run.stdout.strip()] if run.returncode else []


def unkept(made: Definition) -> list[str]:
    """What the lock forbids. Raises LockError and ValueError."""
    r4 = demands.r4()
    locked = lock.loaded(lock.FILE, r4) if lock.FILE.exists() else {}
    return lock.refusals(locked, demands.contracts(made, r4), r4)


def dangling(made: Definition, known: Set[str]) -> Iterator[str]:
    """Names of ours that nothing defines."""
    for url, structure in made["structures"].items():
        named = {name for element in structure["elements"] for name in _names(element) if name.startswith(CANONICAL)}
        yield from (f"{url}: {name} is not defined" for name in sorted(named) if unversioned(name) not in known)


def read() -> dict[str, Any]:
    """The table that is checked in, as far as there is one."""
    found: dict[str, Any] = json.loads(gzip.decompress(COMPILED.read_bytes())) if COMPILED.exists() else {}
    return found


def keep(files: Mapping[str, bytes]) -> None:
    """Leaves the definitions themselves where other validators can read them."""
    with node.alone(GENERATED.parent):
        shutil.rmtree(GENERATED, ignore_errors=True)
        GENERATED.mkdir()
        for name, body in files.items():
            (GENERATED / name).write_bytes(body)


def base() -> list[Definition]:
    """Every definition of R4 core that may be compiled in. Raises ToolError."""
    package = core.core(sushi.core_wheel().read_bytes())
    return [definition for definition in snapshots.resources(package) if core.is_listed(definition)]


def table(ours: Sequence[Definition], base: Iterable[Definition]) -> dict[str, Any]:
    """The table of our profiles and extensions, and of those of R4 core that they name."""
    by_url = {d["url"]: d for d in base if "url" in d}
    value_sets = [d["url"] for d in ours if d["resourceType"] == "ValueSet"]
    of_core = rules(by_url.values())
    made = snapshots.table([*(sourced(d, of_core) for d in ours), *named(ours, by_url)], by_url.values())
    listed, unlisted = expansions(value_sets, [*by_url.values(), *ours])
    made["valueSets"] |= listed
    made["open"] |= unlisted
    systems = {d["url"]: sorted(nested(d.get("concept", ()))) for d in ours if d["resourceType"] == "CodeSystem"}
    found = {"fsh": sushi.sources(), "sushi": sushi.version(), "codeSystems": systems, **made}
    return dict(json.loads(core.text(found)))


def rules(base: Iterable[Definition]) -> dict[tuple[str, str], str]:
    """(key, expression) of every invariant of R4's own types -> where it comes from."""
    types = [d for d in base if d["resourceType"] == "StructureDefinition" and not snapshots.is_profile(d)]
    said = ((d["url"], c) for d in types for e in snapshots.elements(d) for c in e.get("constraint", ()))
    return {(c["key"], c.get("expression", "")): c.get("source", url) for url, c in said}


def sourced(definition: Definition, of_core: Mapping[tuple[str, str], str]) -> Definition:
    """The definition with the origin of inherited invariants, which SUSHI's snapshots leave out, put back."""
    if definition["resourceType"] != "StructureDefinition":
        return definition
    elements = [
        {**e, "constraint": [_sourced(c, of_core) for c in e["constraint"]]} if "constraint" in e else e
        for e in snapshots.elements(definition)
    ]
    return {**definition, "snapshot": {"element": elements}}


def _sourced(constraint: Definition, of_core: Mapping[tuple[str, str], str]) -> Definition:
    source = of_core.get((constraint["key"], constraint.get("expression", "")))
    return {**constraint, "source": source} if source and "source" not in constraint else constraint


def named(ours: Iterable[Definition], by_url: Mapping[str, Definition]) -> list[Definition]:
    """Profiles and extensions of R4 core that an element of ours is to satisfy."""
    waiting, found = list(ours), dict[str, Definition]()
    while waiting:
        for url in _profiles(waiting.pop()):
            if url in by_url and url not in found and snapshots.is_profile(by_url[url]):
                found[url] = by_url[url]
                waiting.append(by_url[url])
    return list(found.values())


def _profiles(definition: Definition) -> Iterator[str]:
    for element in definition.get("snapshot", {}).get("element", ()):
        for type_ in element.get("type", ()):
            yield from map(unversioned, type_.get("profile", ()))


def differences(made: Definition) -> Iterator[str]:
    """Which parts of what is checked in are not those of the sources, by name."""
    old = read()
    for part in sorted(old.keys() | made.keys()):
        before, after = old.get(part), made.get(part)
        if isinstance(before, dict) and isinstance(after, dict):
            changed = [k for k in sorted(before.keys() | after.keys()) if before.get(k) != after.get(k)]
            yield from (f"{part} {key}: {_STALE}" for key in changed)
        elif before != after:
            yield f"{part}: {_STALE}"
    if lock.FILE.exists() and lock.FILE.read_text(encoding="utf-8") != lock.text(demands.contracts(made, demands.r4())):
        yield f"{lock.FILE.name}: {_STALE}"


def _names(element: Definition) -> Iterator[str]:
    """The canonicals an element names."""
    for type_ in element.get("types", ()):
        yield from (*type_.get("profiles", ()), *type_.get("targets", ()))
    if "binding" in element:
        yield element["binding"]["valueSet"]


if __name__ == "__main__":
    sys.exit(main())
