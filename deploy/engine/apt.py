"""apt beside a root file system: packages of any architecture and suite, downloaded without being installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.engine.commands import run
from deploy.engine.host import REACH_DEBIAN


class Apt:
    """apt in a folder of its own, with the sources and keys of a root file system and nothing installed."""

    def __init__(
        self, folder: Path, root: Path, architecture: str, log: Path, *, suite: tuple[str, str] | None = None
    ) -> None:
        """Set it up, and fetch the lists unless the folder has them.

        Args:
            folder: what apt keeps; it is made where it is missing.
            root: whose sources and keys are used.
            architecture: of the packages, such as "arm64".
            log: the file for what apt prints.
            suite: that of the root and another one to ask instead, such as ("trixie", "bookworm").

        """
        for part in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        sources = (root / "etc/apt/sources.list").read_text()
        (folder / "sources.list").write_text(sources.replace(*suite) if suite else sources)
        keys = root / "etc/apt"
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc": folder / "etc",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::trusted": keys / "trusted.gpg",
            "Dir::Etc::trustedparts": keys / "trusted.gpg.d",
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
        }
        self._options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
        self._archives = folder / "cache/archives"
        self._log = log
        if not (folder / "fetched").exists():
            self._get("update")
            (folder / "fetched").touch()

    def _get(self, *arguments: str, cwd: Path | None = None) -> None:
        run(["apt-get", "-qq", "-y", *self._options, *arguments], log=self._log, remedy=REACH_DEBIAN, cwd=cwd)

    def known(self, names: Sequence[str]) -> list[str]:
        """Keep the names of packages that there are for this architecture."""
        policy = ["apt-cache", *self._options, "policy", *names]
        text = run(policy, log=self._log, remedy=REACH_DEBIAN, keep=True)
        # Of a name that is only depended on, it says that there is no candidate; of one that it never heard, nothing.
        candidates, name = set(), ""
        for line in text.splitlines():
            if not line.startswith(" "):
                name = line.rstrip(":")
            elif line.startswith("  Candidate: ") and not line.endswith("(none)"):
                candidates.add(name)
        return [name for name in names if name in candidates]

    def closure(self, names: Sequence[str]) -> list[Path]:
        """Download packages and all that they depend on."""
        self._get("install", "--download-only", *names)
        return sorted(self._archives.glob("*.deb"))

    def drop_archives(self) -> None:
        """Delete what `closure` downloaded."""
        for archive in self._archives.glob("*.deb"):
            archive.unlink()

    def download(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Download packages alone, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._get("download", *names, cwd=folder)
        return sorted(folder.glob("*.deb"))
