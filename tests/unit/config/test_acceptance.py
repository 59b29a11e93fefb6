"""What `validate` is told to accept."""

from collections.abc import Callable

import pytest

from ci.config.parse import named_dockerfiles, parse_config, referenced_paths
from ci.core.findings import Acceptance, Finding

Problems = Callable[..., tuple[Finding, ...]]

TEXT = """\
repository: ghcr.io/acme/{name}
validate:
  accept:
    - {rule: base-unpinned, reason: no digests there, files: ["docker/**", Dockerfile]}
    - rule: hadolint/*
      reason: by hand
  baseline: ./deploy//baseline.json
images:
  - {name: app, dockerfile: docker/Dockerfile, platforms: [linux/amd64], smoke: none, smoke-reason: not yet}
"""


def test_what_is_accepted() -> None:
    config = parse_config(TEXT, file="images.yaml")
    assert config.accepted == (
        Acceptance(rule="base-unpinned", reason="no digests there", files=("docker/**", "Dockerfile"), line=4),
        Acceptance(rule="hadolint/*", reason="by hand", line=5),
    )
    assert config.baseline == "deploy/baseline.json"
    assert referenced_paths(TEXT) == {"docker/Dockerfile", "deploy/baseline.json"}
    assert named_dockerfiles(TEXT) == {"docker/Dockerfile"}
    assert named_dockerfiles("[") == named_dockerfiles("images: 3") == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("rule: base-unpinned", "rule: config", 4, "validate.accept[0].rule"),
        ("rule: base-unpinned, ", "", 4, "validate.accept[0].rule"),
        ("reason: no digests there, ", "", 4, "validate.accept[0].reason"),
        ("by hand", '""', 6, "validate.accept[1].reason"),
        ("docker/**", "docker/[", 4, "validate.accept[0].files[0]"),
        ("./deploy//baseline.json", "../baseline.json", 7, "validate.baseline"),
        ("baseline:", "base:", 7, "validate.base"),
    ],
)
def test_mistakes_in_what_is_accepted(old: str, new: str, line: int, key: str, problems: Problems) -> None:
    [problem] = problems(TEXT.replace(old, new))
    assert (problem.line, problem.key) == (line, key)
