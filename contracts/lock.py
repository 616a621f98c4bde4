"""What the checked-in contracts promise, and whether a new build keeps it: `contracts/lock.json`.

A profile has a version, major.minor. Something optional more needs a new minor; anything else that decides whether a
resource is refused needs a new major, in either direction; texts need nothing. A profile that is not locked is new and
free. A file holds for each profile its version, the digest of its demands, and the demands themselves, so that what
became incompatible can be said.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts.changes import ADDS, Change, between
from contracts.demands import Base, Contract, contracts, numbers

FILE = Path(__file__).with_name("lock.json")


class LockError(Exception):
    """A file that is no contracts: which, why, and what would be right."""


def loaded(path: Path, base: Base) -> dict[str, Contract]:
    """The contracts of a lock file or of a compiled table (.json.gz). Raises LockError."""
    try:
        body = path.read_bytes()
        if body.startswith(b"\x1f\x8b"):
            return contracts(json.loads(gzip.decompress(body)), base)
        return read(json.loads(body))
    except OSError as error:
        raise LockError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise LockError(f"{path}: a compiled table (.json.gz) or a lock file would be right ({error})") from None


def read(lock: Mapping[str, Any]) -> dict[str, Contract]:
    """The contracts of a lock file's JSON. Raises ValueError where a digest is not that of its demands."""
    found = {url: Contract(e["version"], e["type"], e["demands"], e.get("codes", {})) for url, e in lock.items()}
    for url, contract in found.items():
        if contract.digest != lock[url]["digest"]:
            raise ValueError(f"{url}: the digest is not that of its demands")
    return found


def text(locked: Mapping[str, Contract]) -> str:
    """The lock file: a line for each profile, element and value set, in order, so that a change shows as its line."""
    if not locked:
        return "{}\n"
    return "{\n" + ",\n".join(f"{json.dumps(url)}: {_entry(c)}" for url, c in sorted(locked.items())) + "\n}\n"


def _entry(contract: Contract) -> str:
    head = {"version": contract.version, "digest": contract.digest, "type": contract.type}
    codes = f',\n "codes": {_lines(contract.codes)}' if contract.codes else ""
    return f'{json.dumps(head)[:-1]},\n "demands": {_lines(contract.demands)}{codes}}}'


def _lines(rows: Mapping[str, Any]) -> str:
    if not rows:
        return "{}"
    return "{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(rows[k], sort_keys=True)}" for k in sorted(rows)) + "}"


def refusals(locked: Mapping[str, Contract], now: Mapping[str, Contract], base: Base) -> list[str]:
    """Why the contracts of now may not take the place of the locked ones: what changed, by profile; none: they may."""
    changes: dict[str, list[Change]] = {}
    for change in between(locked, now, base):
        changes.setdefault(change.profile, []).append(change)
    return [line for url in sorted(locked) for line in _refused(url, locked[url], now.get(url), changes.get(url, []))]


def _refused(url: str, locked: Contract, now: Contract | None, changes: list[Change]) -> Iterator[str]:
    """The changes of one profile whose version does not say them, and the version that would."""
    if now is None:
        yield from map(str, changes)
        yield "  a definition others rely on stays; who means to end it takes it out of contracts/lock.json too"
        return
    major, minor = old = numbers(locked.version)
    new = numbers(now.version)
    breaking = [change for change in changes if change.kind != ADDS]
    if breaking and new[0] <= major:
        yield from map(str, breaking)
        yield f"  version {now.version}: {major + 1}.0 would be right"
    elif locked.digest != now.digest and new <= old:
        yield from map(str, changes)
        yield f"  version {now.version}: {major}.{minor + 1} would be right"
    elif new < old:
        yield f"{url}: version {now.version} is below {locked.version}, which is locked"
