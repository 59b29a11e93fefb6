"""Files and configurations, held against checks; and the program that looks at files."""

import ast
import inspect
import os
import stat
import sys
from pathlib import Path

import pytest

from ci.build import look as program
from ci.build.files import judge_file, judge_metadata, permissions
from ci.build.look import Facts, look
from ci.core.checks import FileCheck, MetadataCheck, Setting, TextMatch
from ci.core.oci import ImageConfig

FILE = Facts(exists=True, mode=stat.S_IFREG | 0o644, uid=1, gid=2, text="one\n")
CONFIG = ImageConfig(
    platform="linux/amd64",
    labels={"a": "b"},
    diff_ids=(),
    env={"A": "b-2.1"},
    cmd=("serve",),
    ports=("80/tcp", "53/udp"),
    volumes=("/data",),
)


@pytest.mark.parametrize(
    ("mode", "written"),
    # As fs.FileMode(...).String() of Go writes them.
    [
        (stat.S_IFREG | 0o755, "-rwxr-xr-x"),
        (stat.S_IFREG | 0o4755, "urwxr-xr-x"),
        (stat.S_IFREG | 0o2750, "grwxr-x---"),
        (stat.S_IFREG | 0o6711, "ugrwx--x--x"),
        (stat.S_IFREG | 0o7000, "ugt---------"),
        (stat.S_IFDIR | 0o1777, "dtrwxrwxrwx"),
        (stat.S_IFDIR | 0o2770, "dgrwxrwx---"),
        (stat.S_IFLNK | 0o777, "Lrwxrwxrwx"),
        (stat.S_IFIFO | 0o600, "prw-------"),
        (stat.S_IFSOCK | 0o600, "Srw-------"),
        (stat.S_IFCHR | 0o666, "Dcrw-rw-rw-"),
        (stat.S_IFBLK | 0o660, "Drw-rw----"),
    ],
)
def test_permissions_are_written_as_go_does(mode: int, written: str) -> None:
    assert permissions(mode) == written


@pytest.mark.parametrize(
    ("check", "facts", "problems"),
    [
        (FileCheck(path="/a", mode=0o644, uid=1, gid=2, permissions="-rw-r--r--"), FILE, []),
        (FileCheck(path="/a"), Facts(), ["expected /a to exist, and it does not"]),
        (FileCheck(path="/a", exists=False), FILE, ["expected /a not to exist, and it does"]),
        (FileCheck(path="/a", exists=False), Facts(), []),
        (FileCheck(path="/a", mode=0o4644), FILE, ["expected /a to have mode 4644, it has 0644"]),
        (FileCheck(path="/a", executable_by="any"), FILE, ["expected /a to be executable by any, it has mode 0644"]),
        (FileCheck(path="/a", content=TextMatch(equals="two")), FILE, ["expected /a to equal 'two', got 'one'"]),
        (FileCheck(path="/a"), Facts(exists=True, fault="Permission denied"), [
            "/a could not be looked at: Permission denied"
        ]),
    ],
)  # fmt: skip
def test_a_file_is_held_against_every_condition(check: FileCheck, facts: Facts, problems: list[str]) -> None:
    assert judge_file(check, facts) == problems


@pytest.mark.parametrize(
    ("check", "problems"),
    [
        (
            MetadataCheck(
                env=(Setting(name="A", value=r"2\.1", pattern=True),),
                env_unset=("B",),
                labels=(Setting(name="a", value="b"),),
                entrypoint=(),
                cmd=("serve",),
                ports=("80", "53"),
                ports_unset=("8080",),
                volumes=("/data",),
                volumes_unset=("/root",),
            ),
            [],
        ),
        (MetadataCheck(env=(Setting(name="A", value="2"),)), ["expected env A '2', got 'b-2.1'"]),
        (MetadataCheck(env=(Setting(name="B", value="2"),)), ["expected env B '2', got None"]),
        (MetadataCheck(labels=(Setting(name="a", value="c", pattern=True),)), [
            "expected label a to match 'c', got 'b'"
        ]),
        (MetadataCheck(cmd=(), user="app", workdir="/srv"), [
            "expected cmd [], got ['serve']",
            "expected workdir '/srv', got ''",
            "expected user 'app', got ''",
        ]),
        (MetadataCheck(ports=("80/tcp",)), ["expected exposed port 80/tcp, got 80, 53"]),
    ],
)  # fmt: skip
def test_metadata_is_held_against_every_condition(check: MetadataCheck, problems: list[str]) -> None:
    assert judge_metadata(check, CONFIG) == problems


def test_a_path_is_looked_at(tmp_path: Path) -> None:
    file, link, nowhere = tmp_path / "file", tmp_path / "link", tmp_path / "nowhere"
    file.write_bytes(b"caf\xe9\n")
    file.chmod(0o4711)
    link.symlink_to(file)
    nowhere.symlink_to(tmp_path / "none")
    found = look(str(link), follow=True, read=True)
    assert (stat.S_IMODE(found.mode), found.uid, found.text) == (0o4711, os.getuid(), "caf\ufffd\n")
    assert stat.S_ISLNK(look(str(link), follow=False, read=False).mode)
    assert not look(str(nowhere), follow=True, read=False).exists
    assert look(str(nowhere), follow=False, read=False).exists
    assert not look(str(file / "below"), follow=True, read=False).exists
    assert look(str(tmp_path), follow=True, read=True).fault == "it is no file that can be read"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    assert "it holds more than" in look(str(tmp_path / "file"), follow=True, read=True).fault


def test_the_program_needs_nothing_but_python() -> None:
    for node in ast.walk(ast.parse(inspect.getsource(program))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)
