"""Stand-ins of base images, made of what package registries serve, where no image registry can be reached.

They are for tests and rehearsals. Each holds at least the Debian packages of the genuine image, has its users, paths
and variables, and says by a label that it is not that image.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.engine import debian
from deploy.engine.cache import Cache, key_of, remove
from deploy.engine.commands import run
from deploy.engine.debian import NATIVE
from deploy.engine.foreign import FOREIGN, assemble
from deploy.engine.mirror import annotation, push
from deploy.engine.oci import Rootfs, write_layout
from deploy.engine.progress import say, step
from deploy.engine.recipe import Layer, Recipe, trust

KEY = "dev.drydock.stand-in.key"  # the annotation of an index by which it is known to be there
MADE_OF = "Debian packages and what PyPI and npm serve"
# What apt does in genuine images: keep no archives and no translations.
APT = (
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
    'Acquire::Languages "none";\nAPT::AutoRemove::SuggestsImportant "false";\n'
)


def publish(cache: Cache, recipe: Recipe, emulator: Path, *, keep: bool = False) -> None:
    """Make a stand-in and put it into the local mirror, unless it is there.

    Args:
        cache: holds what is made until it is in the mirror.
        recipe: of the stand-in.
        emulator: the folder with QEMU.
        keep: whether the image stays in the cache afterwards.

    """
    if annotation(recipe.repository, recipe.tag, KEY) == recipe.key:
        say(f"{recipe.name}: already there")
        return
    layout = image(cache, recipe, emulator)
    with step(f"{recipe.name} into the mirror"):
        push(cache, layout, recipe.repository, recipe.tag)
    if not keep:
        remove(layout)


def image(cache: Cache, recipe: Recipe, emulator: Path) -> Path:
    """Make the image layout of a stand-in for both platforms, in two steps of which a finished one is not repeated."""
    slug = recipe.name.replace(":", "-")
    log = cache.log(f"base-{slug}")

    def install(folder: Path) -> None:
        roots = {name: folder / name for name in (NATIVE, FOREIGN)}
        hooks = [_account(line) for line in recipe.users]
        debian.install(roots[NATIVE], "minbase", recipe.packages, log, suite=recipe.suite, hooks=hooks)
        for command in recipe.commands:
            run(["chroot", roots[NATIVE], *command], log=log, remedy="Run the command again.")
        assemble(roots[FOREIGN], roots[NATIVE], recipe.arm64, emulator=emulator / "qemu-aarch64", log=log)

    def lay(folder: Path) -> None:
        variables: dict[str, str] = {}
        images = []
        layers = folder / "layers"
        for name, root in ((name, roots / name) for name in (NATIVE, FOREIGN)):
            upper = Layer(
                cache=cache, log=log, work=layers / "work", packages=root, root=layers / name, architecture=name
            )
            upper.folder("")
            variables |= dict(recipe.lay(upper)) if recipe.lay else {}
            _settle(root, upper)
            tars = []
            for part, kind in ((root, "lower"), (upper.root, "upper")):
                tars.append(layers / f"{name}-{kind}.tar")
                debian.pack(part, tars[-1], log)
            remove(layers / "work")
            remove(upper.root)
            images.append((name, tars))
        config = configuration(recipe, variables)
        rootfs = [Rootfs(layers=tars, architecture=name, config=config) for name, tars in images]
        write_layout(folder, rootfs, recipe.tag, annotations={KEY: recipe.key})
        remove(layers)

    done = cache.root / f"base-{slug}-{recipe.key}"
    if done.exists():
        return cache.made(f"base-{slug}", recipe.key, lay)
    roots = cache.made(f"packages-{slug}", recipe.key, install)
    layout = cache.made(f"base-{slug}", recipe.key, lay)
    remove(roots)
    return layout


def _account(line: str) -> str:
    """Write the shell command that adds a user, and its group, before packages could."""
    name, _, user, group, *_ = line.split(":")
    if user != group:
        raise ValueError(f"{name} has a group of another number")
    return f"echo '{name}:x:{group}:' >> \"$1/etc/group\" && echo '{line}' >> \"$1/etc/passwd\""


def _settle(root: Path, layer: Layer) -> None:
    """Add what every genuine image has: apt's sources in the form of today, its settings, the machine's authorities."""
    layer.write("etc/apt/apt.conf.d/docker-clean", APT)
    sources = root / "etc/apt/sources.list"
    if sources.exists():
        entries = [line.split() for line in sources.read_text().splitlines() if line.startswith("deb ")]
        keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        texts = [
            f"Types: deb\nURIs: {line[-3]}\nSuites: {line[-2]}\nComponents: {line[-1]}\nSigned-By: {keyring}\n"
            for line in entries
        ]
        layer.write("etc/apt/sources.list.d/debian.sources", "\n".join(texts))
        sources.unlink()
    own = debian.host_certificates()
    if own and not (root / "usr/sbin/update-ca-certificates").exists():
        # ca-certificates takes them up when a build installs it. Until then, only these are trusted.
        for certificate in own:
            shutil.copy(certificate, layer.folder("usr/local/share/ca-certificates") / certificate.name)
        layer.write(debian.BUNDLE.lstrip("/"), "".join(certificate.read_text() for certificate in own))


def configuration(recipe: Recipe, variables: dict[str, str]) -> dict[str, object]:
    """Write the configuration of a stand-in's images."""
    env = [f"{name}={value}" for name, value in (*recipe.env, *variables.items())]
    return {
        "Env": [*env, *trust(has_own=bool(debian.host_certificates()))],
        **recipe.config,
        "Labels": labels(MADE_OF, recipe.name),
    }


def labels(made_of: str, name: str) -> dict[str, str]:
    """Write the label by which a stand-in is known."""
    return {"dev.drydock.stand-in": f"{made_of} in place of {name}, not that image"}


def emulator(cache: Cache) -> Path:
    """Take QEMU from the suite of the bases: onnxruntime crashes on the QEMU 7.2 of the release before."""
    log = cache.log("emulator")

    def make(folder: Path) -> None:
        root = folder / "root"
        debian.install(root, "apt", (), log)
        unpacked = Layer(
            cache=cache, log=log, work=folder / "work", packages=root, root=folder, architecture=NATIVE
        ).unpacked(["qemu-user"])
        shutil.copy2(unpacked / "usr/bin/qemu-aarch64", folder / "qemu-aarch64")
        for path in (folder / "work", root, folder / f"apt-{NATIVE}"):
            remove(path)

    return cache.made("emulator", key_of(debian.SUITE, "qemu-user"), make)
