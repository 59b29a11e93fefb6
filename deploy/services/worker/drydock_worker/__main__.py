"""Runs the service until it is told to stop."""

from __future__ import annotations

import logging
import os
import sys

import uvicorn

from drydock_worker.app import make_app
from drydock_worker.model import Model
from drydock_worker.settings import SettingsError, read_settings


def main() -> None:
    """Serve; SIGTERM lets requests in flight finish first, within a limit."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"drydock-worker: {error}")
    uvicorn.run(
        make_app(settings, Model()),
        host="0.0.0.0",  # noqa: S104  # a container's own network
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
