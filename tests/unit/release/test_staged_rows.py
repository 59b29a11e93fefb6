"""What a stage did when, as another machine reads it from its folder."""

import json
from dataclasses import replace

import pytest

from ci.core.errors import DrydockError
from ci.core.model import Stage
from ci.core.timeline import Row
from ci.release.folder import Folder, StagedVariant, read_folder, render_folder

STAGE = Stage(name="build", began=1_790_000_000.25, seconds=2.5, detail="7 of 9 steps cached", ok=False)
VARIANT = StagedVariant(
    variant="app@linux/arm64", image="app", platform="linux/arm64", built_on="engine (linux/arm64)", stages=(STAGE,)
)
FOLDER = Folder(
    revision="a" * 40, created="2026-01-01T00:00:00Z", configuration=f"sha256:{'1' * 64}", variants=(VARIANT,)
)


def test_what_was_done_and_where_comes_along() -> None:
    (read,) = read_folder(render_folder(FOLDER), "it").variants
    assert read.row == Row(label="app@linux/arm64", machine="engine (linux/arm64)", stages=(STAGE,))


def test_what_was_reused_says_so() -> None:
    assert replace(VARIANT, reused="sha-1234567").row.note == "reused from sha-1234567"


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("began", -1), ("began", "now"), ("began", 1e300), ("seconds", -1), ("detail", "x" * 1001), ("name", None)],
)
def test_a_stage_that_no_stage_has_written_is_refused(key: str, wrong: object) -> None:
    value = json.loads(render_folder(FOLDER))
    value["variants"][0]["stages"][0][key] = wrong
    with pytest.raises(DrydockError, match=f"'{key}' is not as a stage writes it"):
        read_folder(json.dumps(value), "it")
