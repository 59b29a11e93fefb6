"""Start the Python module in the folder given as Dagger's own SDK would after installing it.

The main object is the one that pyproject.toml names:

    [project.entry-points."dagger.mod"]
    main_object = "package.module:Class"

Without it, the class has the module's name in PascalCase and lives in the package of the module's name.
"""

import importlib.metadata
import os
import re
import sys
import tomllib
from pathlib import Path


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
    from dagger.mod import cli  # noqa: PLC0415

    point = importlib.metadata.EntryPoint(cli.ENTRY_POINT_NAME, entry, cli.ENTRY_POINT_GROUP)
    cli.get_entry_point = lambda: point
    return cli.app(None, "--register" in sys.argv[2:])


def _missing(requirements: list[str]) -> list[str]:
    """List the required packages that cannot be found; versions are the SDK's to pin."""
    names = [re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in requirements]
    held = {re.sub(r"[-_.]+", "-", str(d.name)).lower() for d in importlib.metadata.distributions()}
    return [name for name in names if re.sub(r"[-_.]+", "-", name).lower() not in held]


if __name__ == "__main__":
    sys.exit(main())
