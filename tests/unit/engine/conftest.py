"""The engine's programs are plain modules beside each other; make them importable."""

import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[3] / "deploy/engine"
sys.path.insert(0, str(ENGINE))
