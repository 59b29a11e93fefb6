"""Unit tests start no process and open no connection."""

import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from ci.config.parse import parse_config
from ci.config.paths import PathKind
from ci.core.errors import ConfigError
from ci.core.findings import Finding

# The same examples in each run, so that a change and not chance makes a test fail; `pytest tests/unit
# --hypothesis-profile=search` looks for new ones.
settings.register_profile(
    "same", derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search", deadline=None, max_examples=4000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("same")


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a unit test reached for the world outside")


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    monkeypatch.setattr(socket.socket, "connect", _refuse)


@pytest.fixture
def problems() -> Callable[..., tuple[Finding, ...]]:
    """Parse a text that is no configuration, and return what is wrong with it."""

    def problems(text: str, kinds: Mapping[str, PathKind] | None = None) -> tuple[Finding, ...]:
        with pytest.raises(ConfigError) as caught:
            parse_config(text, file="images.yaml", kinds=kinds)
        return caught.value.findings

    return problems
