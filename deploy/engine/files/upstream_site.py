"""Lets Debian's Python look for packages where upstream's does. Its own `site`, which does not, is frozen into it."""

from __future__ import annotations

import site
import sys
from _collections_abc import Iterable  # loaded already, which cannot be said of collections.abc


def getsitepackages(prefixes: Iterable[str] | None = None) -> list[str]:
    """List the folders of packages, as upstream's function of this name does."""
    folder = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [f"{prefix}/lib/{folder}/site-packages" for prefix in dict.fromkeys(prefixes or site.PREFIXES)]


if sys.prefix == sys.base_prefix:  # in a virtual environment Debian's looks there too
    site.getsitepackages = getsitepackages
    for _folder in getsitepackages():
        site.addsitedir(_folder)
