"""Which versions are brought up, and where their files are on the host."""

from __future__ import annotations

from pathlib import Path

from ci.core.buildkit import BUILDKIT as BUILDKIT  # noqa: PLC0414  # as the module has it: read by all of deploy

VERSION = "v0.21.8"  # of the engine
PYTHON = "3.13"
SYFT = "v1.57.1"  # as go-syft/go.mod has it
HERE = Path(__file__).resolve().parent
RUN = Path("/run/drydock")  # sockets and process records; gone after a reboot, as the processes are
SOCKET = RUN / "engine.sock"
