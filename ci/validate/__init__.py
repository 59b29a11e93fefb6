"""All that can be found in a source without a build: configuration, Dockerfiles, contexts, workflows.

Open `run.py` first: it names the stages, one after the other.
"""

from ci.validate.run import validate

__all__ = [
    "validate",
]
