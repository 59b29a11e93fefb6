"""Run the folder: `python3 deploy/engine up`, from wherever one is."""

import sys
from pathlib import Path

# Python puts a folder that it runs on its path; the modules are those of the package, which is two folders up.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from deploy.engine.cli import main  # noqa: E402

sys.exit(main())
