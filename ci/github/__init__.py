"""One run on GitHub: what its event asks for, and the files that the workflow's other steps read.

Open `events.py` first: it says which event releases what.
"""

from ci.github.events import Event
from ci.github.run import Run, run_event

__all__ = ["Event", "Run", "run_event"]
