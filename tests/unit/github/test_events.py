"""What an event on GitHub leads to, whoever named the branch or the tag."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ci.core.errors import DrydockError
from ci.core.model import Config, Image, Plan, Variant
from ci.core.text import Format
from ci.github.events import ACCEPTED, Decision, decide
from ci.github.preview import preview_event
from ci.tags import Event

REVISION = "0123456789abcdef0123456789abcdef01234567"
IMAGE = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",), smoke_reason="none")
RULES = (
    "type=schedule",
    "type=semver,pattern={{version}}",
    "type=semver,pattern={{major}}.{{minor}}",
    "type=edge",
    "type=ref,event=branch",
    "type=ref,event=pr",
    "type=sha",
)
RELEASING = ["push", "release", "schedule", "workflow_dispatch", "workflow_call", "repository_dispatch"]


def plan_of(*images: Image, tags: Sequence[str] | None = None, flavor: Sequence[str] = ()) -> Plan:
    chosen = images or (IMAGE,)
    config = Config(
        repositories=("ghcr.io/acme/{name}", "docker.io/acme/{name}"),
        images=chosen,
        tags=None if tags is None else tuple(tags),
        flavor=tuple(flavor),
    )
    return Plan(config=config, variants=tuple(Variant(image=image, platform="linux/amd64") for image in chosen))


def event(name: str, ref: str, default_branch: str = "main") -> Event:
    return Event(name=name, ref=ref, default_branch=default_branch, revision=REVISION)


def decided(name: str, ref: str, default_branch: str = "main", *, plan: Plan | None = None) -> Decision:
    return decide(event(name, ref, default_branch), plan or plan_of())


@pytest.mark.parametrize("name", RELEASING)
def test_without_rules_the_default_branch_is_released_as_latest(name: str) -> None:
    decision = decided(name, "refs/heads/release/2.x", "release/2.x")
    assert decision.publish
    assert decision.tags == {"app": ("latest",)}
    assert decision.version is None


@pytest.mark.parametrize("name", ["push", "release", "workflow_dispatch"])
@pytest.mark.parametrize("tag", ["v1", "v1.2.3", "v1.2.3-rc.1", "v2026.01.31_2", "v0" + "1" * 126])
def test_without_rules_a_version_tag_is_released_under_its_name_and_is_not_latest(name: str, tag: str) -> None:
    decision = decided(name, f"refs/tags/{tag}")
    assert decision.publish
    assert decision.tags == {"app": (tag,)}
    assert decision.version == tag[1:]


@pytest.mark.parametrize("tag", ["latest", "sha-0123456", "version", "vendor/v1", "v", "va", "1.2.3", "V1", "v-1"])
def test_without_rules_any_other_tag_is_checked_only(tag: str) -> None:
    decision = decided("push", f"refs/tags/{tag}")
    assert not decision.publish
    assert tag in decision.why
    assert "nothing is published" in decision.why


@pytest.mark.parametrize("name", ["pull_request", "merge_group"])
@pytest.mark.parametrize(
    "ref",
    [
        "refs/pull/7/merge",
        "refs/heads/main",
        "refs/heads/gh-readonly-queue/main/pr-7-0123456",
        "refs/tags/v1.2.3",
        "",
        "nonsense",
    ],
)
@pytest.mark.parametrize("tags", [None, RULES])
def test_a_pull_request_and_a_merge_queue_are_never_published(name: str, ref: str, tags: Sequence[str] | None) -> None:
    decision = decided(name, ref, plan=plan_of(tags=tags))
    assert not decision.publish
    assert not decision.tags


@pytest.mark.parametrize(
    "branch",
    [
        "feature",
        "Main",
        "v1.2.3",
        "refs/heads/main",
        "refs/tags/v1.2.3",
        "tags/v1",
        "$(touch x)",
        "latest",
        "sha-0123456",
    ],
)
def test_without_rules_any_other_branch_is_checked_only(branch: str) -> None:
    decision = decided("push", f"refs/heads/{branch}")
    assert not decision.publish
    assert decision.version is None


@pytest.mark.parametrize(
    ("name", "ref", "tags", "version"),
    [
        ("push", "refs/heads/main", ("edge", "main"), None),
        ("workflow_dispatch", "refs/heads/fix/it", ("fix-it",), None),
        ("schedule", "refs/heads/main", ("nightly", "edge", "main"), None),
        ("push", "refs/tags/v1.2.3", ("1.2.3", "1.2", "latest"), "1.2.3"),
        ("release", "refs/tags/1.2.3", ("1.2.3", "1.2", "latest"), "1.2.3"),
        ("push", "refs/tags/v1.2.3-rc.1", ("1.2.3-rc.1",), "1.2.3-rc.1"),
    ],
)
def test_the_rules_name_what_is_released(name: str, ref: str, tags: tuple[str, ...], version: str | None) -> None:
    decision = decided(name, ref, plan=plan_of(tags=RULES))
    assert decision.publish
    assert decision.tags == {"app": tags}
    assert decision.version == version


def test_a_commit_that_only_gets_its_own_name_is_published() -> None:
    decision = decided("push", "refs/heads/main", plan=plan_of(tags=["type=sha"]))
    assert decision.publish
    assert decision.tags == {"app": ()}


def test_what_no_rule_names_is_checked_and_the_reason_is_said() -> None:
    decision = decided("push", "refs/tags/nightly-7", plan=plan_of(tags=["type=semver,pattern={{version}}"]))
    assert not decision.publish
    assert "the tag 'nightly-7'" in decision.why
    assert decision.notes == ("type=semver,pattern={{version}}: 'nightly-7' is no version by Semantic Versioning",)


def test_an_image_has_rules_and_a_flavor_of_its_own() -> None:
    alpine = replace(IMAGE, name="alpine", flavor=("suffix=-alpine,onlatest=true",))
    other = replace(IMAGE, name="other", tags=("type=match,pattern=^other/v(.*)$,group=1",))
    plan = plan_of(IMAGE, alpine, other, tags=["type=semver,pattern={{version}}"], flavor=["latest=true"])
    assert decided("push", "refs/tags/v1.2.3", plan=plan).tags == {
        "app": ("1.2.3", "latest"),
        "alpine": ("1.2.3-alpine", "latest-alpine"),
        "other": (),
    }
    decision = decided("push", "refs/tags/other/v7.0.0", plan=plan)
    assert decision.tags == {"app": (), "alpine": (), "other": ("7.0.0", "latest")}
    assert decision.version == "7.0.0"


def test_latest_comes_last_whatever_its_priority() -> None:
    plan = plan_of(tags=["type=raw,latest,priority=2000", "type=ref,event=branch"])
    assert decided("push", "refs/heads/main", plan=plan).tags == {"app": ("main", "latest")}


def test_a_plus_of_a_version_is_a_dash_in_the_tag_and_stays_in_the_label() -> None:
    for tags, tag in ((None, "v1.2.3-build.5"), (["type=ref,event=tag"], "v1.2.3-build.5")):
        decision = decided("push", "refs/tags/v1.2.3+build.5", plan=plan_of(tags=tags, flavor=["latest=false"]))
        assert decision.tags == {"app": (tag,)}
        assert decision.version == "1.2.3+build.5"


@pytest.mark.parametrize(
    "name", ["", "pull_request_target", "workflow_run", "issue_comment", "create", "PUSH", "push ", "push\n"]
)
@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.2.3"])
def test_an_unknown_event_is_refused(name: str, ref: str) -> None:
    with pytest.raises(DrydockError, match=r"has no meaning here, and nothing was published; .*accepted: pull_"):
        decided(name, ref)


def test_an_event_that_gives_strangers_the_secrets_is_refused_with_the_reason() -> None:
    with pytest.raises(DrydockError, match=r"what a stranger wrote with this repository's secrets; use pull_request;"):
        decided("pull_request_target", "refs/heads/main")


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "v1.2.3",
        "refs/heads/",
        "refs/tags/",
        "refs/pull/7/merge",
        "refs/notes/x",
        "REFS/HEADS/main",
        "/refs/heads/main",
        "refs/heads/main\n",
        "refs/tags/v1\n",
    ],
)
@pytest.mark.parametrize("name", RELEASING)
def test_a_ref_that_is_neither_branch_nor_tag_is_refused(name: str, ref: str) -> None:
    with pytest.raises(DrydockError, match="neither a branch nor a tag"):
        decided(name, ref)


def test_a_branch_without_a_known_default_branch_is_refused() -> None:
    with pytest.raises(DrydockError, match="--default-branch"):
        decided("push", "refs/heads/main", "")


@pytest.mark.parametrize(
    ("tag", "named"),
    [
        ("v1/2", "v1-2"),
        ("v1 2", "v1-2"),
        ("v1;id", "v1-id"),
        ("v1$(id)", "v1-id-"),
        ('v1"', "v1-"),
        ("v1,latest", "v1-latest"),
        ("v1é", "v1-"),
    ],
)
def test_what_registries_refuse_in_a_tag_becomes_a_dash(tag: str, named: str) -> None:
    assert decided("push", f"refs/tags/{tag}").tags == {"app": (named,)}


@pytest.mark.parametrize(
    ("ref", "rule"),
    [
        (f"refs/tags/v{'1' * 130}", "type=ref,event=tag"),
        ("refs/heads/-x", "type=ref,event=branch"),
        ("refs/tags/v1", "type=raw,value={{branch}}-x"),
    ],
)
def test_a_name_that_registries_refuse_is_refused(ref: str, rule: str) -> None:
    with pytest.raises(DrydockError, match="is not legal"):
        decided("push", ref, plan=plan_of(tags=[rule]))


@pytest.mark.parametrize("branch", ["sha-89abcde", "sha-0123457", "sha-89abcdef-x", "sha-" + "f" * 40])
def test_no_rule_gives_a_name_that_marks_another_commit(branch: str) -> None:
    with pytest.raises(DrydockError, match=r"marks the commit .* Give the rule another prefix"):
        decided("push", f"refs/heads/{branch}", plan=plan_of(tags=["type=ref,event=branch"]))


@pytest.mark.parametrize("rule", ["type=sha,format=long", "type=sha,suffix=-x", "type=raw,value=shards", "sha-x"])
def test_a_name_that_marks_this_commit_or_none_is_given(rule: str) -> None:
    assert decided("push", "refs/heads/main", plan=plan_of(tags=[rule])).publish


def test_what_somebody_else_chose_is_shown_without_what_a_terminal_obeys() -> None:
    hostile = "\x1b[2J\u202e" + "a" * 5000
    with pytest.raises(DrydockError) as raised:
        decided(hostile, hostile)
    text = str(raised.value)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 600
    why = decided("push", f"refs/heads/\u202e{'a' * 5000}").why
    assert "\u202e" not in why
    assert len(why) < 600


def previewed(name: str, ref: str, plan: Plan, wanted: Format = Format.TABLE, text: str = "PLAN") -> str:
    where: Mapping[str, Sequence[str]] = {
        image.name: [f"ghcr.io/acme/{image.name}", f"docker.io/acme/{image.name}"] for image in plan.images
    }
    return preview_event(event(name, ref), plan, where, owner=None).add_to(text, wanted)


def test_a_preview_lists_the_names_in_each_repository() -> None:
    text = previewed("push", "refs/tags/v1.2.3", plan_of(tags=RULES))
    assert text.splitlines() == [
        "PLAN",
        "",
        "The tag 'v1.2.3' is to be released.",
        "",
        "IMAGE  REPOSITORY          TAGS",
        "app    ghcr.io/acme/app    sha-0123456, 1.2.3, 1.2, latest",
        "app    docker.io/acme/app  sha-0123456, 1.2.3, 1.2, latest",
    ]


def test_a_preview_says_that_nothing_would_be_published() -> None:
    assert previewed("merge_group", "refs/heads/x", plan_of(tags=RULES)).splitlines() == [
        "PLAN",
        "",
        "What waits in the merge queue is built and checked; nothing is published.",
    ]


def test_a_preview_is_json_too() -> None:
    text = previewed("schedule", "refs/heads/main", plan_of(tags=RULES), Format.JSON, '{"schema": 1}')
    assert json.loads(text) == {
        "schema": 1,
        "event": {
            "name": "schedule",
            "ref": "refs/heads/main",
            "publish": True,
            "why": "The branch 'main', on the event schedule, is to be released.",
            "version": None,
            "notes": [],
            "names": [
                {"image": "app", "repository": where, "tags": ["sha-0123456", "nightly", "edge", "main"]}
                for where in ("ghcr.io/acme/app", "docker.io/acme/app")
            ],
        },
    }


def test_every_event_is_either_checked_or_released() -> None:
    assert {*ACCEPTED} == {*RELEASING, "pull_request", "merge_group"}
