"""The engine as its user meets it: through its command line, on this host."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import dagger
import pytest
import pytest_asyncio

ROOT = Path(__file__).resolve().parents[3]


def engine(*arguments: str, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "deploy/engine"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="session", autouse=True)
def embedded() -> None:
    """These tests are about the embedded engine; with another one there is nothing to test."""
    if "engine: running" not in engine("status").stdout:
        pytest.skip("the engine in use is not the embedded one")


@pytest_asyncio.fixture(scope="module")
async def session() -> AsyncIterator[None]:
    """One session for a file's tests; those of the host stop the engine, and have none."""
    async with dagger.connection(dagger.Config(log_output=None)):
        yield
