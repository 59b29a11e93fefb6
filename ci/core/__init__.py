"""Values, names, texts and errors that all rooms share, and what they ask of the engine.

Open `model.py` first: the values that go from stage to stage. This room has no face: what is taken from it is imported
from its files.
"""
