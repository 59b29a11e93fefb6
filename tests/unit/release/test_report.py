"""What is written of a release for those who read on: the attesting action, a Markdown page."""

from dataclasses import replace

import pytest

from ci.build.report import Report
from ci.build.report import report_or_fail as build_report_or_fail
from ci.core.attestations import Package
from ci.core.errors import PipelineError
from ci.core.model import Config, Failure, Image, Outcome, Plan, Stage, Variant
from ci.core.text import Format
from ci.core.timeline import TAGS, Row
from ci.release.inspected import PackageDiff
from ci.release.outcome import Delivery, ImageFact, PackageChanges, Release, VariantFact
from ci.release.promotion import promote
from ci.release.registries import Registries
from ci.release.report import render_checksums, report_or_fail

IMAGE = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))
VARIANT = Variant(image=IMAGE, platform="linux/amd64")
PLAN = Plan(config=Config(repositories=("ghcr.io/acme/{name}",), images=(IMAGE,)), variants=(VARIANT,))


def test_every_published_digest_is_listed_once_with_its_repository() -> None:
    one, two, three = ("sha256:" + digit * 64 for digit in "123")
    images = (
        ImageFact(
            image="app",
            repository="ghcr.io/acme/app",
            digest=one,
            variants=(VariantFact(variant="app@linux/amd64", digest=two, size=1),),
        ),
        ImageFact(image="worker", repository="ghcr.io/acme/worker", digest=three),
        ImageFact(image="missing", repository="ghcr.io/acme/missing", digest=None),
    )
    assert render_checksums(Release(what="release", images=images)) == (
        f"{'1' * 64}  ghcr.io/acme/app\n{'2' * 64}  ghcr.io/acme/app\n{'3' * 64}  ghcr.io/acme/worker\n"
    )


def test_a_closed_gate_is_a_markdown_page_of_its_own() -> None:
    outcome = Outcome(variant=VARIANT, build_seconds=1.0, failures=(Failure(step="build", reason="no"),))
    report = Report(plan=PLAN, outcomes=(outcome,), seconds=1.0)
    with pytest.raises(PipelineError, match=r"(?s)^nothing was pushed and no tag was touched:\n\n1 of 1 var"):
        build_report_or_fail(report, Format.MARKDOWN, gate=True)


def test_a_page_ends_with_one_diagram_of_all_that_was_done() -> None:
    build = Row(label=str(VARIANT), machine="engine", stages=(Stage(name="build", began=5.0, seconds=1.0),))
    move = Row(label=TAGS, stages=(Stage(name="move", began=6.0, seconds=1.0),))
    built = Report(plan=PLAN, outcomes=(Outcome(variant=VARIANT, build_seconds=1.0),), seconds=1.0, rows=(build,))
    failure = Outcome(variant=VARIANT, build_seconds=1.0, failures=(Failure(step="build", reason="no"),))
    released = Release(what="release", rows=(move,))
    for done, ended in (
        (Delivery(built=built), "build 1.0 s :active, 0, 1000\n```"),
        (Delivery(built=built, released=released), "move 1.0 s :1000, 2000\n```"),
    ):
        page = report_or_fail(done, Format.MARKDOWN)
        assert page.count("```mermaid") == page.count("build 1.0 s :active") == 1
        assert page.endswith(ended)
        assert "mermaid" not in report_or_fail(done, Format.TABLE) + report_or_fail(done, Format.JSON)
    with pytest.raises(PipelineError, match="```mermaid"):
        report_or_fail(Delivery(built=replace(built, outcomes=(failure,))), Format.MARKDOWN)
    assert build_report_or_fail(built, Format.MARKDOWN).count("```mermaid") == 1


@pytest.mark.parametrize("wanted", [Format.TABLE, Format.MARKDOWN])
def test_a_proposed_command_is_to_be_given_what_this_call_was_given(wanted: Format) -> None:
    release = Release(what="promotion", problems=("no",), next="To try it again: dagger call promote --tag latest")
    with pytest.raises(PipelineError, match="Give it the --owner, --repository"):
        report_or_fail(Delivery(released=release), wanted)
    with pytest.raises(PipelineError) as caught:
        report_or_fail(Delivery(released=replace(release, next="Run the same command again.")), wanted)
    assert "--owner" not in str(caught.value)


async def test_a_promotion_to_no_tag_is_a_failure() -> None:
    done = await promote(Registries(clients={}), (), "sha-0123456")
    assert not done.ok
    assert done.problems == ("no tag to move is given",)


def test_variants_with_the_same_changes_are_told_of_together() -> None:
    curl = PackageDiff(came=(Package(name="curl", version="8", kind="deb"),))
    changes = [
        ("app@linux/amd64", "sha-1111111", curl),
        ("app@linux/arm64", "sha-1111111", curl),
        ("web@linux/amd64", "sha-2222222", curl),
        ("web@linux/arm64", "sha-2222222", PackageDiff()),
    ]
    told = tuple(PackageChanges(variant=variant, since=since, diff=diff) for variant, since, diff in changes)
    text = report_or_fail(Delivery(released=Release(what="release", changes=told)), Format.TABLE)
    assert "\napp@linux/amd64, app@linux/arm64: 1 package came, went or changed since sha-1111111\n" in text
    assert "\nweb@linux/amd64: 1 package came" in text
    assert "\nweb@linux/arm64: the same packages as in sha-2222222\n" in text
    assert text.count("curl") == 2
