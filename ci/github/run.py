"""One run on GitHub: does what its event asks for, and writes the files that the workflow's other steps read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape

import dagger

from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.engine import explain
from ci.core.errors import DrydockError, PipelineError
from ci.core.model import Plan
from ci.core.names import sha_tag, utc_text
from ci.core.text import Format, clean
from ci.github.events import Decision, Event, decide
from ci.release import release
from ci.release.deliver import Delivery, Means, build, deliver, finish_delivery
from ci.release.destination import connect, login_of
from ci.release.promotion import promote
from ci.release.report import render_checksums
from ci.release.request import parse_created, plan_targets
from ci.release.verification import verify

SUMMARY, REPORT, CHECKSUMS, EXIT_CODE = "summary.md", "report.json", "checksums.txt", "exit-code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What the workflow hands over, unchecked."""

    event: Event
    revision: str
    created: str
    owner: str | None
    repository: str | None
    username: str | None
    password: dagger.Secret | None
    registry: dagger.Service | None
    secrets: Sequence[dagger.Secret]
    parallel: int
    rebuild: bool


async def run(request: Request, source: dagger.Directory, config: dagger.File | None) -> dagger.Directory:
    """Do what the event asks for; the folder says what came of it, whether it went well or not."""
    try:
        decision = decide(request.event)
        delivery = await _deliver(request, decision, source, config)
    except (DrydockError, dagger.DaggerError, ExceptionGroup) as error:
        text = explain(error)
        if text is None:
            raise
        return _folder(
            {
                SUMMARY: f"## Images: FAILED\n\n<pre>{escape(clean(text), quote=False)}</pre>\n",
                REPORT: json.dumps({"schema": 1, "ok": False, "error": text}, indent=2) + "\n",
                EXIT_CODE: "1\n",
            }
        )
    state = "FAILED" if not delivery.ok else "released" if delivery.released else "checked"
    files = {
        SUMMARY: f"## Images: {state}\n\n{escape(decision.why, quote=False)}\n\n{_text(delivery, Format.MARKDOWN)}\n",
        REPORT: f"{_text(delivery, Format.JSON)}\n",
        EXIT_CODE: f"{int(not delivery.ok)}\n",
    }
    if delivery.ok and delivery.released:
        files[CHECKSUMS] = render_checksums(delivery.released)
    return _folder(files)


async def _deliver(
    request: Request, decision: Decision, source: dagger.Directory, config: dagger.File | None
) -> Delivery:
    plan = plan_build(await read_config(source, config), revision=request.revision)
    created = parse_created(request.created)
    targets = plan_targets(
        plan, repository=request.repository, owner=request.owner, version=decision.version, created=created
    )
    means = Means(
        source=source,
        secrets=request.secrets,
        parallel=request.parallel,
        login=login_of(request.username, request.password),
        registry=request.registry,
    )
    if not decision.publish:
        return Delivery(built=(await build(plan, targets, means)).report)
    if not request.rebuild and (again := await _release_again(request, decision, plan, created, means)):
        return again
    wish = release.Wish(revision=request.revision, targets=targets, tags=decision.tags)
    done = await deliver(plan, wish, means, rebuild=request.rebuild)
    if done.ok or not done.released or request.rebuild:
        return done
    # A branch and its version tag are often pushed together: the other run may have released the commit meanwhile.
    again = await _release_again(request, decision, plan, created, means)
    return replace(again, built=done.built) if again and again.ok else done


async def _release_again(
    request: Request, decision: Decision, plan: Plan, created: datetime, means: Means
) -> Delivery | None:
    """Move the tags to what is released already; None where the commit has not been released, or not in full.

    A commit is released once: its version tag comes after the default branch, a job is run again. A second build would
    have other digests, and what people have tested would not be what the version names.
    """
    tag = sha_tag(request.revision)
    targets = plan_targets(plan, repository=request.repository, owner=request.owner, version=None, created=created)
    async with connect(targets, means.login, means.registry) as client:
        if not (await verify(client, targets, request.revision, ())).ok:
            return None
        done = await promote(client, targets, tag, decision.tags, created=utc_text(created))
    note = f"{tag} was released before: its images are verified and named, and none is pushed."
    images = [
        replace(image, variants=tuple(replace(fact, reused=fact.reused or tag) for fact in image.variants))
        for image in done.images
    ]
    return Delivery(released=replace(done, images=tuple(images), notes=(note, *done.notes)))


def _text(delivery: Delivery, wanted: Format) -> str:
    try:
        return finish_delivery(delivery, wanted)
    except PipelineError as error:
        return str(error).rstrip()


def _folder(files: dict[str, str]) -> dagger.Directory:
    folder = dagger.dag.directory()
    for name, text in files.items():
        folder = folder.with_new_file(name, text)
    return folder
