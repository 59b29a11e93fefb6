"""Which versions are brought up, and where their files are on the host."""

from __future__ import annotations

from pathlib import Path

VERSION = "v0.21.8"  # of the engine
BUILDKIT = "v0.34.2"
PYTHON = "3.13"
HERE = Path(__file__).resolve().parent
RUN = Path("/run/drydock")  # sockets and process records; gone after a reboot, as the processes are
SOCKET = RUN / "engine.sock"
