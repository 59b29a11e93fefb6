"""Unit tests start no process and open no connection."""

import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import NoReturn

import pytest

from ci.config import PathKind, parse_config
from ci.errors import ConfigError, Problem


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a unit test reached for the world outside")


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    monkeypatch.setattr(socket.socket, "connect", _refuse)


@pytest.fixture
def problems() -> Callable[..., tuple[Problem, ...]]:
    """Parse a text that is no configuration, and return what is wrong with it."""

    def problems(text: str, kinds: Mapping[str, PathKind] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            parse_config(text, file="images.yaml", kinds=kinds)
        return caught.value.problems

    return problems
