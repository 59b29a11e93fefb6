"""The stand-in of python: CPython of Debian, put where the genuine image has its own, in /usr/local."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from deploy.engine.packages import newest
from deploy.engine.recipe import PATH, SUITES, Layer, Recipe, move, refuse

# CPython of Debian, by the suite that it is taken from; it runs on that suite and on younger ones.
NEXT = "forky"  # not a suite of bases: what is taken from it is fitted to the youngest of those
PYTHONS = {"3.14": NEXT, "3.13": "trixie", "3.11": "bookworm"}
# The version of glibc's symbols that every program may ask for, by architecture, and the one that trixie lacks.
GLIBC = {"amd64": "GLIBC_2.2.5", "arm64": "GLIBC_2.17"}
LACKING = "GLIBC_2.42"


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
    runs_on = SUITES[:1] if source == NEXT else SUITES[: SUITES.index(source) + 1]
    if suite not in runs_on:
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
    names += [f"libpython{line}{rest}" for rest in ("", "-minimal", "-dev")] + [f"python{line}-venv", "python3-pip-whl"]
    names += ["python3-setuptools-whl"] if line == "3.11" else []
    names += ["libexpat1"] if source == NEXT else []  # it calls functions that the one of trixie lacks
    suite = None if source == _suite_of(layer) else (_suite_of(layer), source)
    files = layer.unpacked(names, suite)
    library = layer.root / f"usr/local/lib/python{line}"
    move(files / f"usr/lib/python{line}", library)
    move(files / f"usr/bin/python{line}", layer.root / f"usr/local/bin/python{line}")
    for folder in (files / "usr/include").iterdir():  # python3.13, and the one named after the machine
        move(folder, layer.root / "usr/local/include" / folder.name)
    move(files / "usr/share/python-wheels", layer.root / "usr/share/python-wheels")
    # Programs that hold an interpreter link with it, such as uWSGI; the linker finds it where Debian has it.
    for file in [path for path in files.glob("usr/lib/*/libpython*.so*") if not path.is_symlink()]:
        move(file, layer.root / file.relative_to(files))
        layer.link(f"usr/local/lib/{file.name}", f"/{file.relative_to(files)}")
        layer.link(f"usr/local/lib/libpython{line}.so", file.name)
    for link, target in (("python3", f"python{line}"), ("python", "python3")):
        layer.link(f"usr/local/bin/{link}", target)
    (library / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    for other in library.glob("config-*/libpython*"):  # archives, which the genuine image has not, and a link
        other.unlink()
    _as_upstream(library)
    if source == NEXT:
        for file in files.glob("usr/lib/*/libexpat.so*"):
            move(file, layer.root / file.relative_to(files))
        for module in library.glob("lib-dynload/termios.*.so"):
            module.write_bytes(settle_for(module.read_bytes(), LACKING, GLIBC[layer.architecture]))
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


def settle_for(program: bytes, lacking: str, version: str) -> bytes:
    """Let a program ask for one version of glibc's symbols where it asks for another, which the image lacks.

    Its table of needed versions (.gnu.version_r) has an entry for each: a hash, two short numbers that stay, and the
    place of the name. In termios, the only module that needs it, the younger symbols take a line's speed as a number
    where the older ones take a code; Python hands on what it is told.
    """
    found = {name: [at for at in _places(program, _elf_hash(name)) if at % 4 == 0] for name in (lacking, version)}
    # Two libraries may be asked for one version; the entries say the same.
    told = {program[at : at + 4] + program[at + 8 : at + 12] for at in found[version]}
    if len(found[lacking]) != 1 or len(told) != 1:
        raise ValueError(f"this program's needs of {lacking} and {version} cannot be told apart: {found}")
    (entry,), (said,) = found[lacking], told
    return program[:entry] + said[:4] + program[entry + 4 : entry + 8] + said[4:] + program[entry + 12 :]


def _places(program: bytes, part: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(part), program)]


def _elf_hash(name: str) -> bytes:
    """Hash a symbol's name as the format ELF says, in the byte order of both architectures."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value.to_bytes(4, "little")


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
