"""The command line: what is said before the function, and the functions that release or run on GitHub.

Open `common.py` first. The module's object puts them together, with those that release nothing.
"""

from ci.commands import options
from ci.commands.common import uncached
from ci.commands.looking import Looking
from ci.commands.releasing import Releasing
from ci.commands.running import Running

__all__ = ["Looking", "Releasing", "Running", "options", "uncached"]
