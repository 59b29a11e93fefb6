"""The engine as its user meets it: through its command line, on this host."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def engine(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "deploy/engine"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="session", autouse=True)
def embedded() -> None:
    """These tests are about the embedded engine; with another one there is nothing to test."""
    if "engine: running" not in engine("status").stdout:
        pytest.skip("the engine in use is not the embedded one")
