"""Unit tests stay inside."""

import socket
import subprocess

import pytest


def test_a_unit_test_can_start_no_process() -> None:
    with pytest.raises(AssertionError, match="the world outside"):
        subprocess.run(["true"], check=False)


def test_a_unit_test_can_open_no_connection() -> None:
    with (
        socket.socket() as client,
        pytest.raises(AssertionError, match="the world outside"),
    ):
        client.connect(("127.0.0.1", 9))
