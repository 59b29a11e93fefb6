"""README, Makefile and CI name the same commands, and everything pinned stays pinned."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
REQUIREMENTS = sorted(
    file for file in ROOT.rglob("*.txt") if "requirements" in str(file.relative_to(ROOT)) and ".venv" not in file.parts
)


def test_every_make_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {"build-all", "test", "help", "down"} <= named <= targets


def test_ci_runs_what_the_readme_says() -> None:
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")


def test_make_help_lists_every_command() -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert set(re.findall(r"^make ([a-z-]+)", done.stdout, re.MULTILINE)) == set(
        re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE)
    )


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_requirements_are_pinned_with_hashes_and_without_addresses(file: Path) -> None:
    text = file.read_text()
    pins = re.findall(r"^[A-Za-z0-9._-]+(?:\[[a-z,-]+\])?==\S+", text, re.MULTILINE)
    assert pins
    for block in re.split(r"\n(?=[A-Za-z])", text.strip()):
        if not block.startswith("#"):
            assert "--hash=sha256:" in block, block[:80]
    assert "://" not in text
    assert "--index" not in text


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    hosts = [
        "pypi." + "org",
        "files.python" + "hosted",
        "proxy.golang" + ".org",
        "deb.debian" + ".org",
        "npmjs" + ".org",
    ]
    for name in files.split():
        text = (ROOT / name).read_bytes().decode(errors="replace")
        for host in [*hosts, "/ro" + "ot/dd", "/wo" + "rk/main"]:
            assert host not in text, f"{name} names {host}"
