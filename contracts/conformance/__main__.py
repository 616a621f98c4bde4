"""`make conformance`: the HL7 validator's verdicts on files, or on everything we publish and send, beside our own.

Without FILE it judges our examples, what a demo emits and the examples of the packages at hand, and records the
verdicts; with `--check` it compares with what is recorded instead.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from contracts.conformance import definitions, journeys, recorded, rounds
from contracts.conformance.examples import examples
from contracts.conformance.opinions import Opinions, at_hand, opinions, wrong
from contracts.conformance.validator import Finding, Question, Unreachable, Verdict, fetched, java_found, judged
from contracts.node import ToolError

WRONG, NOT_TRIED = 1, 2
screen = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 as it should be; 1 not; 2 where Java, Maven Central or Node is missing."""
    parser = argparse.ArgumentParser("contracts.conformance", description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="resources as JSON, or one a line in *.ndjson")
    parser.add_argument("--profile", action="append", default=[], help="canonical to check FILE against")
    parser.add_argument("--package", type=Path, action="append", default=[], help="FHIR package to know for FILE")
    parser.add_argument("--warnings", action="store_true", help="show warnings on FILE too")
    parser.add_argument("--round", choices=rounds.ROUNDS, action="append", help="only this round")
    parser.add_argument("--check", action="store_true", help="compare with what is recorded, write nothing")
    asked = parser.parse_args(arguments)
    try:
        java_found()
        with screen.status("fetching the HL7 validator, once, about 100 MB"):
            fetched()
        if asked.files:
            return _of_files(asked.files, asked.profile, asked.package, asked.warnings)
        return _of_everything(asked.round or rounds.ROUNDS, asked.check)
    except (Unreachable, ToolError) as error:
        print(f"conformance was not tried: {error}", file=sys.stderr)
        return NOT_TRIED
    except subprocess.CalledProcessError as error:
        print(f"the demo failed: {error.stderr.decode()[-2000:]}", file=sys.stderr)
        return WRONG


def _of_everything(names: Sequence[str], check: bool) -> int:
    validator, sizes, by_round = _by_round(names)
    listed, faults = recorded.disagreements(), list[str]()
    for name, each in by_round.items():
        whole = len(each) == sizes[name] > 0
        faults += wrong(each, listed.get(name, {}), whole=whole)
        if check:
            faults += _changed(name, validator, each)
        elif whole:
            recorded.write(_path(name), _about(name, validator), _verdicts(each))
        else:
            screen.print(f"{name} not recorded: {definitions.PACKAGES} lacks a package to judge them by")
    screen.print(_table(validator, by_round))
    print("\n".join(faults), end="\n" if faults else "")
    return WRONG if faults else 0


def _by_round(names: Sequence[str]) -> tuple[str, dict[str, int], dict[str, list[Opinions]]]:
    """(the other validator, how many inputs each round has, both verdicts on those whose packages are at hand)."""
    with tempfile.TemporaryDirectory(prefix="carepod-conformance-") as made, Progress(console=screen) as progress:
        folder = Path(made)
        emitting = progress.add_task("emitting what a demo emits", total=None, visible="journeys" in names)
        inputs = {name: _inputs(name, folder) for name in names}
        progress.update(emitting, total=1, completed=1)
        everything = [asked for each in inputs.values() for asked in each if at_hand(asked)]
        judging = progress.add_task("asking the HL7 validator", total=len(everything))
        validator, found = opinions(everything, folder, lambda done: progress.update(judging, completed=done))
    by_name = {each.asked.name: each for each in found}
    by_round = {name: [by_name[a.name] for a in asked if a.name in by_name] for name, asked in inputs.items()}
    return validator, {name: len(asked) for name, asked in inputs.items()}, by_round


def _inputs(name: str, folder: Path) -> list[rounds.Asked]:
    if name == "examples":
        return list(rounds.of_examples(list(examples())))
    if name == "journeys":
        emitted = journeys.run(folder / "demo")
        return [*rounds.of_journeys(emitted), *rounds.outward(emitted)]
    there = [package for package in rounds.WITH if definitions.package(package).exists()]
    return [asked for package in there for asked in rounds.of_package(package)]


def _changed(name: str, validator: str, found: Sequence[Opinions]) -> Iterator[str]:
    """Where the verdicts of a round are not those recorded."""
    path, verdicts = _path(name), _verdicts(found)
    about, before = recorded.read(path)
    if found and about != _about(name, validator):
        yield f"{path}: recorded for other profiles or by another validator; `make conformance` records anew"
    # Which shapes a demo emits is partly chance.
    missing = set() if name == "journeys" else verdicts.keys() - before.keys()
    changed = {n for n in verdicts.keys() & before.keys() if verdicts[n] != before[n]}
    yield from (f"{path}: {n} has another verdict now, or had none" for n in sorted(missing | changed))


def _path(name: str) -> Path:
    return recorded.FOLDER / f"{name}.yaml"


def _about(name: str, validator: str) -> dict[str, str]:
    return {"validator": validator} | ({} if name == "packages" else {"profiles": rounds.profiles_digest()})


def _verdicts(found: Sequence[Opinions]) -> dict[str, recorded.Recorded]:
    return {each.asked.name: each.record for each in found}


def _table(validator: str, by_round: Mapping[str, Sequence[Opinions]]) -> Table:
    table = Table(title=f"The second opinion: {validator}")
    for column in ("round", "judged", "valid in both", "invalid in both", "only we refuse", "only they refuse"):
        table.add_column(column, justify="left" if column == "round" else "right")
    for name, found in by_round.items():
        sides = [(bool(o.ours), bool(o.theirs.errors)) for o in found]
        counts = [sides.count(s) for s in ((False, False), (True, True), (True, False), (False, True))]
        table.add_row(name, *map(str, (len(found), *counts)))
    return table


def _of_files(files: Sequence[Path], profiles: Sequence[str], packages: Sequence[Path], warnings: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="carepod-conformance-") as made:
        folder = Path(made)
        known = [definitions.ours(folder), *(definitions.of_package(p, folder) for p in packages)]
        if any(rounds.PAS in p.name for p in packages):
            known.append(definitions.encounter(folder))
        texts = [(name, text) for file in files for name, text in _texts(file)]
        with screen.status("asking the HL7 validator"):
            validator, verdicts = judged([Question(name, text, tuple(profiles), tuple(known)) for name, text in texts])
    print(validator)
    for verdict in verdicts:
        _shown(verdict, verdict.findings if warnings else verdict.errors)
    return WRONG if any(v.errors for v in verdicts) else 0


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ndjson":
        yield from ((f"{file}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line)
    else:
        yield str(file), text


def _shown(verdict: Verdict, findings: Sequence[Finding]) -> None:
    print(f"{verdict.name}: {f'{len(verdict.errors)} wrong' if verdict.errors else 'valid'}")
    for found in findings:
        print(f"  {found.severity}: {found.expression}: {found.rule}: {found.message}")


if __name__ == "__main__":
    sys.exit(main())
