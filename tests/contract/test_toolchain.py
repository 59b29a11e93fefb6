"""What the engine's programs are compiled with is part of what they are kept by."""

import os
from pathlib import Path

import pytest

from deploy.engine import binaries
from deploy.engine.cache import Cache


def test_another_go_is_another_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(root=tmp_path / "cache")
    tool = tmp_path / "bin/go"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    module = tmp_path / "module"
    module.mkdir()
    made = []
    for version in ("go1.26.8", "go1.26.8", "go1.26.9"):
        tool.write_text(f'#!/bin/sh\n[ "$1" = env ] && echo {version} || echo {version} > "$3/tool"\n')
        tool.chmod(0o755)
        made.append(binaries.go_build(cache, "tool", module, ["./cmd"]) / "tool")
    assert made[0] == made[1] != made[2]
    assert made[2].read_text() == "go1.26.9\n"
    tool.write_text("#!/bin/sh\necho go1.26.6\n")
    assert binaries.own_go() is None
