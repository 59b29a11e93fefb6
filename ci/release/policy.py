"""Lists what a configuration wants to be looked at before any tag, besides what every release is."""

from __future__ import annotations

from ci.core.model import Config
from ci.release.ages import promise_ages
from ci.release.destination import Destination
from ci.release.release import Promise
from ci.release.scanning import promise_scans


def promises_of(config: Config, destination: Destination) -> tuple[Promise, ...]:
    """List the checks of a release that its configuration asks for: the age of base images, and scanners."""
    return (*promise_ages(config.require.base_age, destination), *promise_scans(config.scans))
