"""A first configuration for another repository, with the workflow and the git hook.

Open `adopt.py` first: it says which files are added, and of what.
"""

from ci.init.adopt import adopt

__all__ = [
    "adopt",
]
