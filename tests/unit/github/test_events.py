"""What an event on GitHub leads to, whoever named the branch or the tag."""

import pytest

from ci.core.errors import DrydockError
from ci.github.events import Event, decide


def event(name: str, ref: str, default_branch: str = "main") -> Event:
    return Event(name=name, ref=ref, default_branch=default_branch)


@pytest.mark.parametrize("name", ["push", "workflow_dispatch"])
def test_the_default_branch_is_released_as_latest(name: str) -> None:
    decision = decide(event(name, "refs/heads/release/2.x", "release/2.x"))
    assert decision.publish
    assert decision.tags == ("latest",)
    assert decision.version is None


@pytest.mark.parametrize("name", ["push", "workflow_dispatch"])
@pytest.mark.parametrize("tag", ["v1", "v1.2.3", "v1.2.3-rc.1", "v2026.01.31_2", "v0" + "1" * 126])
def test_a_version_tag_is_released_under_its_name_and_is_not_latest(name: str, tag: str) -> None:
    decision = decide(event(name, f"refs/tags/{tag}"))
    assert decision.publish
    assert decision.tags == (tag,)
    assert decision.version == tag[1:]


@pytest.mark.parametrize(
    "ref", ["refs/pull/7/merge", "refs/heads/main", "refs/tags/v1.2.3", "", "nonsense", "refs/heads/"]
)
@pytest.mark.parametrize("default_branch", ["main", ""])
def test_a_pull_request_is_never_published(ref: str, default_branch: str) -> None:
    decision = decide(event("pull_request", ref, default_branch))
    assert not decision.publish
    assert decision.tags == ()


@pytest.mark.parametrize(
    "branch",
    [
        "feature",
        "Main",
        "main ",
        "main\n",
        "v1.2.3",
        "refs/heads/main",
        "refs/tags/v1.2.3",
        "tags/v1",
        "$(touch x)",
        "latest",
        "sha-0123456",
    ],
)
def test_any_other_branch_is_checked_only(branch: str) -> None:
    decision = decide(event("push", f"refs/heads/{branch}"))
    assert not decision.publish
    assert decision.version is None


@pytest.mark.parametrize(
    "name",
    ["", "pull_request_target", "workflow_run", "issue_comment", "schedule", "PUSH", "push ", "push\n", "release"],
)
@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.2.3"])
def test_an_unknown_event_is_refused(name: str, ref: str) -> None:
    with pytest.raises(DrydockError, match="has no meaning here, and nothing was published; accepted: pull_request"):
        decide(event(name, ref))


@pytest.mark.parametrize(
    "ref",
    ["", "main", "v1.2.3", "refs/heads/", "refs/pull/7/merge", "refs/notes/x", "REFS/HEADS/main", "/refs/heads/main"],
)
def test_a_ref_that_is_neither_branch_nor_tag_is_refused(ref: str) -> None:
    with pytest.raises(DrydockError, match="neither a branch nor a tag"):
        decide(event("push", ref))


def test_a_branch_without_a_known_default_branch_is_refused() -> None:
    with pytest.raises(DrydockError, match="--default-branch"):
        decide(event("push", "refs/heads/main", ""))


@pytest.mark.parametrize("tag", ["", "latest", "sha-0123456", "version", "vendor/v1", "v", "va", "1.2.3", "V1", "v-1"])
def test_a_tag_that_is_no_version_is_refused(tag: str) -> None:
    with pytest.raises(DrydockError, match=r"is not a version such as v1\.2\.3, and nothing was published"):
        decide(event("push", f"refs/tags/{tag}"))


@pytest.mark.parametrize(
    "tag",
    [
        "v1.2.3+build",
        "v1/2",
        "v1 2",
        "v1\n",
        "v1;id",
        "v1$(id)",
        "v1`id`",
        'v1"',
        "v1,latest",
        "v1:x",
        "v1é",
        "v1" * 65,
    ],
)
def test_a_version_that_registries_refuse_is_refused(tag: str) -> None:
    with pytest.raises(DrydockError, match="is not legal"):
        decide(event("push", f"refs/tags/{tag}"))


def test_what_somebody_else_chose_is_shown_without_what_a_terminal_obeys() -> None:
    hostile = "\x1b[2J\u202e" + "a" * 5000
    with pytest.raises(DrydockError) as raised:
        decide(event(hostile, hostile))
    text = str(raised.value)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 600
    why = decide(event("push", f"refs/heads/{hostile}")).why
    assert "\x1b" not in why
    assert len(why) < 600
