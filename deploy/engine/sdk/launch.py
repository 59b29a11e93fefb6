"""Start the Python module in the folder given as Dagger's own SDK would after installing it.

The main object is the one that pyproject.toml names:

    [project.entry-points."dagger.mod"]
    main_object = "package.module:Class"

Without it, the class has the module's name in PascalCase and lives in the package of the module's name.
"""

import functools
import importlib.metadata
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, Self, cast

import beartype
from packaging.requirements import Requirement

# Where the engine's schema lies in the container of a function.
SCHEMA = Path("/opt/schema.json")


def main() -> int | None:
    """Make the module importable, name its main object, and hand over to dagger-io."""
    here = Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(folder) for folder in (here, here / "src") if folder.is_dir()]
    project = here / "pyproject.toml"
    settings = tomllib.loads(project.read_text()).get("project", {}) if project.exists() else {}
    module = os.environ["DAGGER_MODULE"]
    package = re.sub(r"\W+", "_", module)
    pascal = "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", module))
    entry = settings.get("entry-points", {}).get("dagger.mod", {}).get("main_object", f"{package}:{pascal}")
    os.environ["DAGGER_MAIN_OBJECT"] = entry.rpartition(":")[2]
    if missing := _missing(settings.get("dependencies", [])):
        sys.stderr.write(
            f"This engine's Python SDK does not hold {', '.join(missing)}, which pyproject.toml asks for.\n"
            "Add them, with hashes, to deploy/engine/sdk/requirements.txt, or use Dagger's own engine.\n"
        )
        return 1

    # dagger-io finds the main object in the metadata of an installed package; nothing is installed here.
    with quick_import():
        from dagger.mod import cli  # noqa: PLC0415
    if SCHEMA.exists():
        take_schema(SCHEMA)

    point = importlib.metadata.EntryPoint(cli.ENTRY_POINT_NAME, entry, cli.ENTRY_POINT_GROUP)
    cli.get_entry_point = lambda: point
    return cli.app(None, "--register" in sys.argv[2:])


@contextmanager
def quick_import() -> Iterator[None]:
    """Import dagger within, in half the processor time; what it then does is the same.

    Of the 0.7 s of `import dagger`, beartype takes 0.4 s to write a checking wrapper for each of the client's 840
    methods, of which a function calls a few dozen: here each is wrapped when it is first called. Another 0.1 s goes
    into what starts engines, which dagger-io does without where the package is missing.
    """
    eager = beartype.beartype

    def choose(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # as beartype's own
        # dagger.client._guards makes its decorator as `beartype(conf=...)`; any other use stays as it is.
        return eager(*arguments, **options) if arguments else functools.partial(_check_later, eager(**options))

    beartype.beartype = cast("Any", choose)
    sys.modules["dagger.provisioning"] = None  # type: ignore[assignment]  # how Python is told that there is none
    try:
        yield
    finally:
        beartype.beartype = eager


def take_schema(file: Path) -> None:
    """Let the client take the engine's schema from a file in place of asking for it, which takes the engine 0.3 s.

    The file is what the engine hands to every SDK for its generated client, so that a function can call as much.
    """
    from dagger.client import _session  # noqa: PLC0415

    session: Any = _session
    client = session.GraphQLClient

    def make(**options: Any) -> Any:  # noqa: ANN401  # gql's client
        options |= {"introspection": json.loads(file.read_text()), "fetch_schema_from_transport": False}
        return client(**options)

    session.GraphQLClient = make


def _check_later(check: Callable[[object], object], decorated: object) -> object:
    """Let each function of a class be checked from its first call on."""
    if not isinstance(decorated, type):
        return check(decorated)
    for name, member in list(vars(decorated).items()):
        if isinstance(member, FunctionType):
            setattr(decorated, name, _check_at_first_call(check, member, decorated))
    return decorated


def _check_at_first_call(check: Callable[[object], object], function: FunctionType, owner: type) -> FunctionType:
    @functools.cache
    def checked() -> Callable[..., object]:
        # beartype accepts Self only where it sees the class around the function.
        function.__annotations__ = {
            name: owner if hint is Self else hint for name, hint in function.__annotations__.items()
        }
        return check(function)  # type: ignore[return-value]

    @functools.wraps(function)
    def call(*arguments: object, **options: object) -> object:
        return checked()(*arguments, **options)

    return call  # type: ignore[return-value]


def _missing(requirements: list[str]) -> list[str]:
    """List the required packages that cannot be found; versions are the SDK's to pin."""
    read = [Requirement(text) for text in requirements]
    names = [each.name for each in read if not each.marker or each.marker.evaluate()]
    held = {re.sub(r"[-_.]+", "-", str(d.name)).lower() for d in importlib.metadata.distributions()}
    return [name for name in names if re.sub(r"[-_.]+", "-", name).lower() not in held]


if __name__ == "__main__":
    sys.exit(main())
