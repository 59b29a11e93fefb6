"""The services are packages of their own, beside each other; make them importable."""

import sys
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[3] / "deploy/services"
sys.path[:0] = [str(SERVICES / "backend"), str(SERVICES / "worker")]
