"""Write what is generated from the code: the configuration's schema and its reference."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write both files anew."""
    sys.path.insert(0, str(ROOT))
    from ci.config.reference import render_reference  # noqa: PLC0415  # ci is importable from here on
    from ci.config.schema import render_schema  # noqa: PLC0415

    (ROOT / "deploy/images.schema.json").write_text(render_schema())
    (ROOT / "docs/configuration.md").write_text(render_reference())


if __name__ == "__main__":
    main()
