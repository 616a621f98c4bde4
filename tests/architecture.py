"""What the architecture and the house style forbid, found by reading the source: each check returns its offences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shared.core import Service

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = ("shared", "services", "contracts", "partners", "benchmarks")

CORE = ("coordinator.py", "rules.py", "facts.py", "planner.py")
"""The files of a service in which it decides."""

FILES = ("__init__.py", "coordinator.py", "rules.py", "facts.py", "gather.py", "service.py")
"""The files every service has."""

LINES = 400
"""Longest Python file; the aim is 300."""

BYTES = 512 * 1024
"""Largest file of any kind."""

_NOT_OURS = {".git", ".venv", "var", "node_modules", "__pycache__"}
_WORLD = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
}
_CLOCK_AND_CHANCE = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}
_ASSERTING = {"raises", "warns", "fail"}
_SKIPPING = {"skip", "skipif", "xfail", "importorskip"}


def project_files(root: Path = ROOT) -> Iterator[Path]:
    """Every file of the checkout that is the project's own; folders of tools and of the run are left out."""
    for path in sorted(root.iterdir()):
        if path.name in _NOT_OURS or path.name.endswith(("_cache", ".egg-info")) or path.name == ".hypothesis":
            continue
        if path.is_dir():
            yield from project_files(path)
        elif not path.is_symlink():
            yield path


def python_files(*folders: str) -> list[Path]:
    """The Python files below these top-level folders."""
    return [path for folder in folders for path in project_files(ROOT / folder) if path.suffix == ".py"]


def too_large(path: Path) -> list[str]:
    """A file nobody can read in one sitting."""
    size = path.stat().st_size
    if path.suffix == ".py" and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES:
        return [f"{path}: {lines} lines; at most {LINES} would be right"]
    return [f"{path}: {size} bytes; at most {BYTES} would be right"] if size > BYTES else []


def unlike_a_service(folder: Path, service: Service) -> list[str]:
    """What the folder of a declared service lacks."""
    wanted = [*FILES, *(["api.py"] if service.routes else []), *(["deliver.py"] if service.channels else [])]
    lacking = [f"{folder.name}: {name} is missing" for name in wanted if not (folder / name).is_file()]
    figures = [] if list((folder / "policies").glob("*.yaml")) else [f"{folder.name}: policies/ holds no figures"]
    charter = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    return [*lacking, *figures, *unlike_a_charter(folder.name, charter, service.owns)]


def unlike_a_charter(name: str, charter: str, owns: Iterable[str]) -> list[str]:
    """What a charter leaves unsaid: "Owns ...", naming each type it saves, "Listens to ...", "Decides ..."."""
    owned, _, rest = charter.partition("Owns ")[2].partition("Listens to ")
    silent = [
        f"{name}: the charter does not say '{word}'"
        for word in ("Owns ", "Listens to ", "Decides ")
        if word not in charter
    ]
    unnamed = [kind for kind in sorted(owns) if not re.search(rf"\b{kind}s?\b", owned)]
    return [*silent, *(f"{name}: the charter does not name {kind} among what it owns" for kind in unnamed if rest)]


def impurities(source: str) -> list[str]:
    """Where a core module reaches for the world: asynchronous code, clock, chance, files, processes."""
    return [f"line {node.lineno}: {what}" for node, what in _reaching_out(ast.parse(source))]


def _reaching_out(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                yield node, "asynchronous"
            case ast.Import(names=names) if found := _WORLD.intersection(n.name.partition(".")[0] for n in names):
                yield node, f"imports {', '.join(sorted(found))}"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _WORLD:
                yield node, f"imports {module}"
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _CLOCK_AND_CHANCE:
                yield node, f"calls {name}()"
            case _:
                pass


def without_opening_sentence(path: Path) -> list[str]:
    """A module whose first line is not one sentence of what is decided or moved."""
    source = path.read_text(encoding="utf-8")
    opening = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return [] if not source.strip() or opening.endswith((".", ":")) else [f"{path}: opens without a sentence"]


def asserting_functions(trees: Iterable[ast.Module]) -> set[str]:
    """Names of the functions of the tests that assert something, themselves or through one another."""
    functions = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    known: set[str] = set()
    while found := {f.name for f in functions if f.name not in known and asserts(f, known)}:
        known.update(found)
    return known


def asserts(function: ast.AST, asserting: set[str]) -> bool:
    """Whether a function has an assertion, expects an exception, or calls a function that does."""
    return any(isinstance(node, ast.Assert) or _called(node) in _ASSERTING | asserting for node in ast.walk(function))


def _called(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
        case _:
            return None


def assertionless(trees: Mapping[str, ast.Module]) -> list[str]:
    """Tests that cannot fail."""
    asserting = asserting_functions(trees.values())
    return [f"{name}: {test}" for name, tree in trees.items() for test in _tests(tree) if test not in asserting]


def _tests(tree: ast.Module) -> Iterator[str]:
    """Names of the tests of a module, those in classes too."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return (function.name for function in functions if function.name.startswith("test"))


def skipping(tree: ast.Module) -> list[str]:
    """Where tests are skipped or expected to fail."""
    return [
        f"line {node.lineno}: pytest {node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in _SKIPPING and "pytest" in ast.unparse(node.value)
    ]


def misnamed_records(names: Iterable[str], index: str) -> list[str]:
    """Decision records not named NNNN-title.md, sharing a number, or absent from the index."""
    names = sorted(names)
    shapeless = [name for name in names if not re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", name)]
    numbers = [name[:4] for name in names]
    double = [name for name in names if numbers.count(name[:4]) > 1]
    absent = [name for name in names if f"({name})" not in index]
    return [
        *(f"{name}: NNNN-title.md would be right" for name in shapeless),
        *(f"{name}: its number is taken" for name in double),
        *(f"{name}: not in docs/decisions/README.md" for name in absent),
    ]


def unlocked(requirements: Iterable[str], lock: str) -> list[str]:
    """Requirements that no line of the lock fulfils, and lines that name an address or lack a hash."""
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\\n    --hash=sha256:", lock, re.MULTILINE))
    wanted = [Requirement(requirement) for requirement in requirements]
    lacking = [
        f"{requirement}: run `make lock`"
        for requirement in wanted
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    unhashed = [f"{line}: has no hash" for line in re.findall(r"^\S+==[^\\\n]*$", lock, re.MULTILINE)]
    return [
        *lacking,
        *unhashed,
        *(f"{line}: names an address" for line in lock.splitlines() if "://" in line or line[:1] == "-"),
    ]
