"""The house holds: who may import whom, what a room hands out, and which files are pure."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[2] / "ci"

MAY_IMPORT = {
    "main": {"commands", "github", "release", "build", "validate", "init", "config", "core"},
    "commands": {"github", "release", "build", "config", "core"},
    "github": {"release", "build", "tags", "core"},
    "release": {"build", "registry", "tags", "core"},
    "build": {"dockerfile", "core"},
    "validate": {"config", "dockerfile", "core"},
    "init": {"config", "tags", "dockerfile", "core"},
    "registry": {"core"},
    "config": {"tags", "core"},
    "dockerfile": {"core"},
    "tags": {"core"},
    "core": set(),
}
ROOMS = sorted(MAY_IMPORT.keys() - {"main"})
FACES = sorted(set(ROOMS) - {"core"})
FILES = sorted(path for path in CI.rglob("*.py") if "linters" not in path.parts and path != CI / "__init__.py")

# Files that neither import Dagger nor look at anything but their arguments.
PURE = [
    *CI.glob("dockerfile/*.py"),
    *CI.glob("tags/*.py"),
    *(path for path in CI.glob("config/*.py") if path.name != "read.py"),
    *(path for path in CI.glob("core/*.py") if path.name not in ("engine.py", "sdk.py")),
    *(path for path in CI.glob("validate/*.py") if path.name not in {"buildkit.py", "linting.py", "run.py"}),
    *(path for path in CI.glob("init/*.py") if path.name != "adopt.py"),
    *CI.glob("*/report.py"),
    *(CI / "registry" / name for name in ("address.py", "errors.py", "headers.py", "refusals.py", "remedies.py")),
    *(CI / "build" / f"{name}.py" for name in "addresses archive command excerpt inputs leaks pins progress".split()),
    *(
        CI / "release" / name
        for name in ("bundles.py", "claims.py", "folder.py", "outcome.py", "record.py", "request.py")
    ),
    *(CI / "release" / f"{n}.py" for n in "keeping holdings pruned differences reproduced inspected".split()),
    *CI.glob("*/*_report.py"),
    CI / "github/events.py",
    CI / "github/preview.py",
    CI / "github/snappy.py",
]
# What reads or changes anything but its arguments, or does work that a pure function has no need of.
IMPURE = {
    "asyncio",
    "glob",
    "http",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today", "exec", "eval", "__import__"}


def room_of(path: Path) -> str:
    return path.relative_to(CI).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(CI))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """List what a file imports: the module, and the name taken from it, or nothing where it is the module itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            yield from ((node.module or "", alias.name) for alias in node.names)


def between_rooms() -> Iterator[tuple[Path, str, str, str]]:
    """List the imports from one room into another: file, room, the rest of the module's path, name."""
    for path in FILES:
        for module, name in imports(path):
            first, _, rest = module.partition(".")
            room, _, inside = rest.partition(".")
            if first == "ci" and room != room_of(path):
                yield path, room or name, inside, name


def test_the_rooms_are_all_there_is() -> None:
    found = {path.name for path in CI.iterdir() if path.name != "__pycache__"}
    assert found == {*ROOMS, "main.py", "__init__.py"}


def test_a_room_imports_from_those_it_may() -> None:
    wrong = [(name_of(path), room) for path, room, _, _ in between_rooms() if room not in MAY_IMPORT[room_of(path)]]
    assert wrong == []


def test_only_the_face_of_a_room_is_imported() -> None:
    """What comes from another room comes from its `__init__.py`; core has none, and is imported by file."""
    wrong = [
        (name_of(path), room, name) for path, room, inside, name in between_rooms() if bool(inside) != (room == "core")
    ]
    assert wrong == []


@pytest.mark.parametrize("room", FACES)
def test_a_face_is_what_other_rooms_take(room: str) -> None:
    taken = {name for _, other, _, name in between_rooms() if other == room}
    assert sorted(importlib.import_module(f"ci.{room}").__all__) == sorted(taken)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_and_what_to_open_first(room: str) -> None:
    text = ast.get_docstring(ast.parse((CI / room / "__init__.py").read_text())) or ""
    assert re.match(r"[A-Z].*\.\n\nOpen `", text, re.DOTALL), room
    for file in re.findall(r"`(\w+\.py)`", text):
        assert (CI / room / file).is_file(), file


def module_of(path: Path) -> str:
    return f"ci.{name_of(path).removesuffix('.py').replace('/', '.')}"


def behind(face: str, name: str) -> str:
    """Find the file that a name of a room's face stands in; inside a room, the name may be the file's own."""
    room = CI / face.removeprefix("ci.")
    path = room / "__init__.py"
    if (room / f"{name}.py").is_file():
        return f"{face}.{name}"
    return next(module for module, other in imports(path) if other == name)


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_a_pure_file_imports_only_pure_things(path: Path) -> None:
    if path.name == "__init__.py":
        return  # a face: what stands behind it, its readers are asked
    pure = {module_of(each) for each in PURE}
    for module, name in imports(path):
        first = module.partition(".")[0]
        if first == "ci":
            assert (behind(module, name) if module.removeprefix("ci.") in FACES else module) in pure, (module, name)
        else:
            assert first in {"cryptography", "hcl2", "lark", "packaging", "yaml"} or first in sys.stdlib_module_names, (
                module
            )
            assert first not in IMPURE or module == "urllib.parse", module


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_a_pure_file_calls_nothing_that_looks_outside(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {f.id for f in calls if isinstance(f, ast.Name)} | {f.attr for f in calls if isinstance(f, ast.Attribute)}
    assert not names & IMPURE_CALLS
