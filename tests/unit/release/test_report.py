"""What is written of a release for those who read on: the attesting action, a Markdown page."""

from dataclasses import replace

import pytest

from ci.build.report import Report
from ci.build.report import report_or_fail as build_report_or_fail
from ci.core.errors import PipelineError
from ci.core.model import Config, Failure, Image, Outcome, Plan, Variant
from ci.core.text import Format
from ci.release.outcome import Delivery, ImageFact, Release, VariantFact
from ci.release.promotion import promote
from ci.release.registries import Registries
from ci.release.report import render_checksums, report_or_fail

IMAGE = Image(name="app", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))


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
    variant = Variant(image=IMAGE, platform="linux/amd64")
    plan = Plan(config=Config(repositories=("ghcr.io/acme/{name}",), images=(IMAGE,)), variants=(variant,))
    outcome = Outcome(variant=variant, build_seconds=1.0, failures=(Failure(step="build", reason="no"),))
    report = Report(plan=plan, outcomes=(outcome,), seconds=1.0)
    with pytest.raises(PipelineError, match=r"(?s)^nothing was pushed and no tag was touched:\n\n1 of 1 var"):
        build_report_or_fail(report, Format.MARKDOWN, gate=True)


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
