"""One run on GitHub: what its event asks for, and the files that the workflow's other steps read.

Open `events.py` first: it says which event releases what.
"""

from ci.github.attested import Attestations, attestations_of
from ci.github.preview import preview_event
from ci.github.run import Phase, Run, run_event

__all__ = ["Attestations", "Phase", "Run", "attestations_of", "preview_event", "run_event"]
