"""Tells whether this installation predicts correctly, and on what: `python -m drydock_worker.selftest`."""

from __future__ import annotations

import sys

from drydock_worker.answers import EXPECTED, INPUTS, agree
from drydock_worker.model import Model


def main() -> int:
    """Print providers, device and predictions; return the exit code."""
    model = Model()
    outputs = model.predict(INPUTS)
    correct = agree(outputs)
    print(f"providers: {' '.join(model.providers)}")
    print(f"device: {model.device}")
    print(f"prediction: {outputs} is {'correct' if correct else f'wrong, expected {EXPECTED}'}")
    return 0 if correct else 1


if __name__ == "__main__":
    sys.exit(main())
