"""What is released already is not built again; whatever changes, alone, makes a build; and in doubt it is built."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagger
import pytest
import pytest_asyncio
from dagger import dag

import ci.build.inputs
from ci.build.addresses import Address, Worker
from ci.build.buildkit import open_buildkit
from ci.build.definition import read_definitions
from ci.build.pipeline import Builder, build_all
from ci.build.remote import Fleet, RemoteDaemon
from ci.build.report import render_json, render_table
from ci.config.plan import plan_build
from ci.config.read import read_config
from ci.core.buildkit import BUILDKIT
from ci.core.model import Config, Image, Plan, Variant
from ci.core.oci import Manifest
from ci.release.deliver import deliver, find_unchanged
from ci.release.destination import Destination
from ci.release.finish import finish_staged
from ci.release.outcome import Change, Delivery
from ci.release.promotion import promote
from ci.release.report import render_checksums
from ci.release.request import ReleaseRequest, Target, parse_created
from ci.release.reuse import Reuse, describe_plan, find_reusable
from ci.release.stage import stage_part
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.servers import Registry

from .conftest import Hosts, client, connect, listed, live

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

CONFIG = """\
repository: registry.test/{name}
sbom: off
source: https://git.test/acme/app
compression: gzip
images:
  - name: alpha
    title: Alpha
    description: The first
    dockerfile: docker/Dockerfile.alpha
    context: alpha
    platforms: [linux/amd64, linux/arm64]
    build-args: {COLOUR: blue}
    budget: 1MB
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
  - name: beta
    dockerfile: beta/Dockerfile
    context: beta
    platforms: [linux/amd64]
    smoke: [{file: {path: /hello.txt, content: {equals: hello}}}]
"""
FILES = {
    "deploy/images.yaml": CONFIG,
    "docker/Dockerfile.alpha": "FROM scratch AS other\nCOPY hello.txt /\nFROM other\nARG COLOUR\nLABEL by=$COLOUR\n",
    "alpha/hello.txt": "hello",
    "alpha/.dockerignore": "*.log\n.dockerignore\n.drydock*\n",
    "alpha/debug.log": "1",
    "beta/Dockerfile": "FROM scratch\nCOPY hello.txt /\n",
    "beta/hello.txt": "hello",
}
LATEST = {"alpha": ("latest",), "beta": ("latest",)}
FIRST, SECOND, THIRD = "1" * 40, "2" * 40, "3" * 40
# An image is reused for some days only, from the time of its commit.
NOW = datetime.now(UTC).replace(microsecond=0)
WHEN = {revision: (NOW - timedelta(minutes=ago)).isoformat() for revision, ago in ((FIRST, 3), (SECOND, 2), (THIRD, 1))}

Files = Mapping[str, str]


def changed(file: str, before: str, after: str) -> Files:
    assert before in FILES[file]
    return {**FILES, file: FILES[file].replace(before, after, 1)}


def configured(before: str, after: str) -> Files:
    return changed("deploy/images.yaml", before, after)


def source_of(files: Files) -> dagger.Directory:
    directory = dag.directory()
    for name, text in files.items():
        directory = directory.with_new_file(name, text)
    return directory


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit, and the registry its images go to."""

    plan: Plan
    targets: tuple[Target, ...]
    builder: Builder
    destination: Destination

    def moving(self, tag: str) -> tuple[Target, ...]:
        return tuple(replace(target, tags=(tag,)) for target in self.targets)

    async def find(self) -> Reuse:
        """Look at what latest names."""
        definitions = await read_definitions(self.plan, self.builder.source)
        return await find_unchanged(self.plan, self.targets, definitions, self.destination)


async def commit_of(
    files: Files | dagger.Directory,
    revision: str,
    hosts: Hosts,
    prefix: str,
    *,
    version: str | None = None,
    secrets: Sequence[dagger.Secret] = (),
) -> Commit:
    source = files if isinstance(files, dagger.Directory) else source_of(files)
    plan = plan_build(await read_config(source, None), revision=revision)
    destination = Destination(repositories=tuple(f"{host}/{prefix}/{{name}}" for host in listed(hosts)))
    targets = destination.targets(plan, version=version, created=parse_created(WHEN[revision]))
    builder = Builder(source=source, secrets=secrets, parallel=2)
    return Commit(plan=plan, targets=targets, builder=builder, destination=destination)


async def publish(
    files: Files | dagger.Directory,
    revision: str,
    hosts: Hosts,
    prefix: str,
    *,
    rebuild: bool = False,
    resmoke: bool = False,
    once: bool = False,
    secrets: Sequence[dagger.Secret] = (),
) -> Delivery:
    """Release a commit, as `dagger call publish --latest` does."""
    commit = await commit_of(files, revision, hosts, prefix, secrets=secrets)
    created = parse_created(WHEN[revision])
    request = ReleaseRequest(
        revision=revision, created=created, tags=LATEST, rebuild=rebuild, resmoke=resmoke, once=once
    )
    return await deliver(commit.plan, request, commit.builder, commit.destination)


async def search(files: Files | dagger.Directory, host: str, prefix: str, *, version: str | None = None) -> Reuse:
    commit = await commit_of(files, SECOND, host, prefix, version=version)
    return await commit.find()


def reused(delivery: Delivery) -> dict[str, str]:
    assert delivery.built
    return {str(outcome.variant): outcome.reused for outcome in delivery.built.outcomes}


async def variants(host: str, prefix: str, tag: str) -> dict[str, str]:
    """Ask the registry which variants a tag names."""
    found = {}
    async with client(host) as registry:
        for name in ("alpha", "beta"):
            for entry in (await registry.get_manifest(f"{prefix}/{name}", tag)).entries:
                found[f"{name}@{entry.platform}"] = entry.digest
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def first(session: None, plain: Registry) -> str:
    """Release the first commit, and name the prefix of its repositories."""
    del session
    done = await publish(FILES, FIRST, plain.host, "reuse")
    assert done.ok
    assert reused(done) == dict.fromkeys(("alpha@linux/amd64", "alpha@linux/arm64", "beta@linux/amd64"), "")
    return "reuse"


async def test_an_unchanged_commit_is_released_without_a_build(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "same")).ok
    with FaultProxy(plain.port) as proxy:
        done = await publish(FILES, SECOND, proxy.host, "same")
        assert done.ok, done
        assert not [seen for seen in proxy.seen if seen.agent != "drydock"], "the engine has asked for something"
        written = [(seen.method, seen.path) for seen in proxy.seen if seen.method not in {"GET", "HEAD"}]
    assert sorted(written) == sorted(
        ("PUT", f"/v2/same/{name}/manifests/{tag}") for name in ("alpha", "beta") for tag in ("latest", "sha-2222222")
    )
    assert set(reused(done).values()) == {"sha-1111111"}
    assert await variants(plain.host, "same", "sha-2222222") == await variants(plain.host, "same", "sha-1111111")
    assert await live(plain.host, "same") == await live(plain.host, "same", "sha-2222222")
    assert done.built
    assert done.released
    assert re.search(r"alpha@linux/arm64  reused from sha-1111111 +-  ", render_table(done.built))
    assert "3 variants: 3 ok, 0 failed, 3 reused, smoke 0/0" in render_table(done.built)
    shown = json.loads(render_json(done.built))["variants"][0]
    assert (shown["reused"], shown["rebuilt"]) == ("sha-1111111", None)
    # Each variant is attested by the run that built it; the index is this run's own.
    assert len(render_checksums(done.released).splitlines()) == 2


async def test_what_is_reused_is_verified_promoted_and_rolled_back_as_what_is_built(plain: Registry) -> None:
    host, prefix = plain.host, "chain"
    assert (await publish(FILES, FIRST, host, prefix)).ok
    mixed = changed("beta/hello.txt", "hello", "hello\n")
    done = await publish(mixed, SECOND, host, prefix)
    assert {name: tag for name, tag in reused(done).items() if tag} == {
        "alpha@linux/amd64": "sha-1111111",
        "alpha@linux/arm64": "sha-1111111",
    }
    third = await publish(mixed, THIRD, host, prefix)
    assert third.ok
    assert reused(third) == {
        "alpha@linux/amd64": "sha-1111111",  # what it was built from, not what last reused it
        "alpha@linux/arm64": "sha-1111111",
        "beta@linux/amd64": "sha-2222222",
    }
    commit = await commit_of(mixed, THIRD, host, prefix)
    async with connect(host) as registries:
        registry = registries.clients[host]
        told = await verify(registries, commit.moving("latest"), THIRD)
        assert told.ok, told.problems
        assert {fact.reused for image in told.images for fact in image.variants} == {"sha-1111111", "sha-2222222"}
        index = await registry.get_manifest(f"{prefix}/alpha", "latest")
        assert index.annotations["org.opencontainers.image.revision"] == THIRD
        # By the digest of one image, whose variants are of another commit than the other image's.
        digest = (await live(host, prefix, "sha-2222222"))["alpha"]
        back = await promote(registries, commit.moving("latest"), digest)
        assert back.ok, back.problems
        assert await live(host, prefix) == await live(host, prefix, "sha-2222222")
        assert (await promote(registries, commit.moving("latest"), "sha-3333333")).ok
    late = await publish(FILES, FIRST, host, prefix)  # which is older, though its variants are live
    assert late.ok
    assert late.released
    assert {outcome.change for outcome in late.released.tags if outcome.tag == "latest"} == {Change.KEPT}
    assert await live(host, prefix) == await live(host, prefix, "sha-3333333")


async def test_the_same_commit_released_again_changes_nothing(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "again")).ok
    done = await publish(FILES, FIRST, plain.host, "again")
    assert done.ok
    assert set(reused(done).values()) == {"sha-1111111"}
    assert done.released
    assert {outcome.change for outcome in done.released.tags} == {Change.UNCHANGED}
    assert {fact.reused for image in done.released.images for fact in image.variants} == {"sha-1111111"}
    # What the commit's own tag names was not built by this run either.
    assert len(render_checksums(done.released).splitlines()) == 2


async def test_reused_and_built_images_are_released_together_or_not_at_all(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "whole")).ok
    before = await live(plain.host, "whole")
    denied = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')
    with FaultProxy(plain.port, rule=always(denied, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(changed("beta/hello.txt", "hello", "hello\n"), SECOND, proxy.host, "whole")
    assert not done.ok
    assert done.built
    assert done.built.ok
    assert await live(plain.host, "whole") == before


async def test_a_layer_that_is_gone_is_built_again(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "gone")).ok
    gone = Fault(kind=Kind.STATUS, status=404, body=b'{"errors":[{"code":"BLOB_UNKNOWN","message":"injected"}]}')
    with FaultProxy(plain.port, rule=always(gone, "HEAD", "gone/beta/blobs/")) as proxy:
        found = await search(FILES, proxy.host, "gone")
    assert set(found.found) == {"alpha"}
    assert found.reasons["beta"].startswith("not as it was promised: ")


# What is changed, and what the report gives as the reason; the image is alpha.
CASES: dict[str, tuple[Files, str]] = {
    "Dockerfile": (changed("docker/Dockerfile.alpha", "LABEL", "# new\nLABEL"), "dockerfile"),
    "context": (changed("alpha/hello.txt", "hello", "hello\n"), "context"),
    "another file in the context": ({**FILES, "alpha/more": ""}, "context"),
    "ignore file": (changed("alpha/.dockerignore", "*.log\n", ""), "context"),
    "build argument": (configured("COLOUR: blue", "COLOUR: green"), "build-args"),
    "another build argument": (configured("COLOUR: blue", "COLOUR: blue, SIZE: big"), "build-args"),
    "target": (configured("build-args:", "target: other\n    build-args:"), "target"),
    "platforms": (configured("[linux/amd64, linux/arm64]", "[linux/amd64]"), "platforms"),
    "smoke check": (configured("/hello.txt, content: {equals: hello}", "/hello.txt"), "smoke"),
    "budget": (configured("budget: 1MB", "budget: 2MB"), "budget"),
    "compression": (configured("compression: gzip", "compression: zstd"), "compression"),
    "title": (configured("title: Alpha", "title: Omega"), "labels"),
    "description": (configured("The first", "The last"), "labels"),
    "source": (configured("git.test/acme/app", "git.test/acme/other"), "labels"),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_change_by_itself_makes_a_build(name: str, first: str, plain: Registry) -> None:
    files, part = CASES[name]
    commit = await commit_of(files, SECOND, plain.host, first)
    found = await commit.find()
    assert found.reasons["alpha"] == f"changed since sha-1111111: {part}"
    # What is configured for all images changes the other one too.
    assert ("beta" in found.found) == (name not in {"compression", "source"})
    labels = {target.image.name: target.labels for target in commit.targets}
    outcomes = found.outcomes(commit.plan)
    built = await build_all(commit.plan, commit.builder, labels=labels, reused=outcomes, reasons=found.reasons)
    assert {name for name in built.images if name.startswith("alpha")} == {
        str(variant) for variant in commit.plan.variants if variant.image.name == "alpha"
    }
    outcomes = {str(outcome.variant): outcome for outcome in built.report.outcomes}
    assert outcomes["alpha@linux/amd64"].reused == ""
    assert outcomes["alpha@linux/amd64"].smoke_passed == 1
    assert f"alpha: built: changed since sha-1111111: {part}" in render_table(built.report)


UNCHANGED: dict[str, Callable[[], dagger.Directory]] = {
    "nothing": lambda: source_of(FILES),
    "ignored file": lambda: source_of(changed("alpha/debug.log", "1", "2")),
    "another ignored file": lambda: source_of({**FILES, "alpha/new.log": "2"}),
    "file outside the context": lambda: source_of({**FILES, "README.md": "new"}),
    "times of the files": lambda: source_of(FILES).with_timestamps(1_000_000_000),
    "comment in the configuration": lambda: source_of(configured("compression", "# new\ncompression")),
    "rebuild-after": lambda: source_of(configured("compression", "rebuild-after: never\ncompression")),
}


@pytest.mark.parametrize("name", UNCHANGED)
async def test_what_decides_nothing_makes_no_build(name: str, first: str, plain: Registry) -> None:
    found = await search(UNCHANGED[name](), plain.host, first)
    assert (set(found.found), found.reasons) == ({"alpha", "beta"}, {})


async def test_the_mode_of_a_file_makes_a_build(first: str, plain: Registry) -> None:
    files = source_of(FILES).without_file("alpha/hello.txt")
    files = files.with_new_file("alpha/hello.txt", "hello", permissions=0o755)
    found = await search(files, plain.host, first)
    assert found.reasons == {"alpha": "changed since sha-1111111: context"}


async def test_a_version_makes_a_build(first: str, plain: Registry) -> None:
    found = await search(FILES, plain.host, first, version="1.2.3")
    assert set(found.reasons.values()) == {"changed since sha-1111111: labels"}


async def test_other_rules_make_a_build(first: str, plain: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci.build.inputs, "RULES", ci.build.inputs.RULES + 1)
    found = await search(FILES, plain.host, first)
    assert set(found.reasons.values()) == {"changed since sha-1111111: rules"}


async def test_rebuild_reuses_nothing(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "rebuild")).ok
    done = await publish(FILES, SECOND, plain.host, "rebuild", rebuild=True)
    assert done.ok
    assert set(reused(done).values()) == {""}
    assert (await variants(plain.host, "rebuild", "latest")).keys() == reused(done).keys()
    # What was built then is what the next one reuses.
    assert set(reused(await publish(FILES, THIRD, plain.host, "rebuild")).values()) == {"sha-2222222"}


@pytest.mark.parametrize(
    ("limit", "days", "reason"),
    [
        ("7d", 6.9, ""),
        ("7d", 7.1, "rebuild-after is over"),
        ("36h", 1.4, ""),
        ("36h", 1.6, "rebuild-after is over"),
        ("never", 5000, ""),
        ("7d", -1, "says that it will be built at"),
    ],
)
async def test_an_age_makes_a_build(limit: str, days: float, reason: str, first: str, plain: Registry) -> None:
    files = configured("compression", f"rebuild-after: {limit}\ncompression")
    commit = await commit_of(files, SECOND, plain.host, first)
    definitions = await read_definitions(commit.plan, commit.builder.source)
    described = await describe_plan(commit.plan, definitions, commit.targets)
    now = datetime.now(UTC) + timedelta(days=days)
    async with connect(plain.host) as registries:
        found = await find_reusable(registries, commit.plan, commit.targets, described, LATEST, now=lambda: now)
    assert set(found.found) == (set() if reason else {"alpha", "beta"})
    assert all(reason in text for text in found.reasons.values())


async def test_what_another_version_of_buildkit_makes_is_something_else(first: str, plain: Registry) -> None:
    """The builder of alpha's second platform is another one; beta has the engine's own."""
    commit = await commit_of(FILES, SECOND, plain.host, first)
    definitions = await read_definitions(commit.plan, commit.builder.source)
    builders = {}
    for version in (BUILDKIT, "v0.30.0"):
        worker = Worker(version=version, platforms=("linux/arm64",))
        daemon = RemoteDaemon(address=Address(url="tcp://arm-1:1234"), base=dag.container(), keys={}, worker=worker)
        described = await describe_plan(commit.plan, definitions, commit.targets, fleet=Fleet(builders=(daemon,)))
        async with connect(plain.host) as registries:
            builders[version] = await find_reusable(registries, commit.plan, commit.targets, described, LATEST)
    assert set(builders[BUILDKIT].found) == {"alpha", "beta"}
    assert set(builders["v0.30.0"].found) == {"beta"}
    assert builders["v0.30.0"].reasons == {"alpha": "changed since sha-1111111: builder"}


DOUBTS: dict[str, tuple[str, str, str]] = {
    "secrets": ("beta/Dockerfile", "FROM scratch\nCOPY hello.txt /\n", "secrets, whose values nobody compares: TOKEN"),
    "ADD of an address": ("beta/Dockerfile", "FROM scratch\nADD https://x.test/y /\n", "line 2 of its Dockerfile adds"),
    "ADD of a repository": ("beta/Dockerfile", "FROM scratch\nADD git@x.test:y /\n", "line 2 of its Dockerfile adds"),
    "ADD of a variable": ("beta/Dockerfile", "FROM scratch\nADD $WHAT /\n", "line 2 of its Dockerfile adds"),
    "ONBUILD": ("beta/Dockerfile", "FROM scratch\nONBUILD COPY . /\n", "line 2 of its Dockerfile is ONBUILD"),
    "unknown instruction": ("beta/Dockerfile", "FROM scratch\nKOPY . /\n", "cannot be read: line 2"),
    "unknown base": ("beta/Dockerfile", "FROM nosuch.invalid/x:1\n", "digest of nosuch.invalid/x:1 for linux/amd64"),
    "base of a variable": ("beta/Dockerfile", "FROM $NOWHERE\n", "line 1 takes its image from '$NOWHERE'"),
    "copy from an unknown image": (
        "beta/Dockerfile",
        "FROM scratch\nCOPY --from=nosuch.invalid/y /a /a\n",
        "digest of nosuch.invalid/y",
    ),
    "mount from an unknown image": (
        "beta/Dockerfile",
        "FROM scratch\nRUN --mount=type=bind,from=nosuch.invalid/z,target=/z true\n",
        "digest of nosuch.invalid/z",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
async def test_in_doubt_nothing_is_reused_and_nothing_recorded(name: str, plain: Registry, first: str) -> None:
    file, text, reason = DOUBTS[name]
    files = {**FILES, file: text}
    if name == "secrets":
        files["deploy/images.yaml"] = CONFIG.replace("context: beta\n", "context: beta\n    secrets: [TOKEN]\n")
    found = await search(files, plain.host, first)
    assert reason in found.reasons["beta"]
    assert set(found.found) == {"alpha"}
    assert set(found.inputs.records) == {"alpha@linux/amd64", "alpha@linux/arm64"}


async def test_a_build_with_secrets_is_never_reused(plain: Registry, tmp_path: Path) -> None:
    (tmp_path / "TOKEN").write_text("x")
    secrets = [dag.secret(f"file://{tmp_path}/TOKEN")]
    files = configured("context: beta\n", "context: beta\n    secrets: [TOKEN]\n")
    for revision in (FIRST, SECOND):
        done = await publish(files, revision, plain.host, "secret", secrets=secrets)
        assert done.ok
        assert reused(done)["beta@linux/amd64"] == ""
    assert reused(done)["alpha@linux/amd64"] == "sha-1111111"


async def test_a_revision_that_the_dockerfile_asks_for_makes_a_build(plain: Registry) -> None:
    files = {**FILES, "beta/Dockerfile": "FROM scratch\nARG REVISION\nCOPY hello.txt /\n"}
    for revision in (FIRST, SECOND):
        done = await publish(files, revision, plain.host, "asked")
        assert done.ok
    assert done.built
    assert done.built.reasons == {"beta": "changed since sha-1111111: REVISION"}


async def test_a_release_that_records_nothing_and_none_at_all(plain: Registry) -> None:
    prefix = "bare"
    assert (await publish(FILES, FIRST, plain.host, prefix)).ok
    nothing = await search(FILES, plain.host, "nowhere")
    assert set(nothing.reasons.values()) == {"no earlier release of it is in the registry"}
    async with connect(plain.host) as registries:
        registry = registries.clients[plain.host]
        for name in ("alpha", "beta"):
            index = await registry.get_manifest(f"{prefix}/{name}", "latest")
            document = json.loads(index.body)
            for entry in document["manifests"]:
                entry.pop("annotations")
            await registry.put_manifest(f"{prefix}/{name}", "bare", json.dumps(document).encode(), index.media_type)
        commit = await commit_of(FILES, SECOND, plain.host, prefix)
        definitions = await read_definitions(commit.plan, commit.builder.source)
        described = await describe_plan(commit.plan, definitions, commit.targets)
        tags = dict.fromkeys(LATEST, ("bare",))
        bare = await find_reusable(registries, commit.plan, commit.targets, described, tags)
        # An index of the second commit, whose variants are of the first without a record of it.
        for target in commit.targets:
            entries = (await registry.get_manifest(target.name, "bare")).entries
            other = Manifest.of_index(entries, target.labels)
            await registry.put_manifest(target.name, "sha-2222222", other.body, other.media_type)
        told = await verify(registries, commit.targets, SECOND)
    assert not bare.found
    assert set(bare.reasons.values()) == {"sha-1111111 does not say what it was made from"}
    assert f"the label org.opencontainers.image.revision is '{FIRST}' instead of '{SECOND}'" in "".join(told.problems)


async def test_a_registry_that_does_not_answer_makes_a_build(plain: Registry, first: str) -> None:
    denied = Fault(kind=Kind.STATUS, status=401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"injected"}]}')
    with FaultProxy(plain.port, rule=always(denied, "GET", "")) as proxy:
        found = await search(FILES, proxy.host, first)
    assert not found.found
    assert all("could not be read" in reason for reason in found.reasons.values())


IGNORES = {
    "usual": "# comment\n*.log\n/sub\n!sub/keep\n",
    "all but": "*\n!sub/**\n**/deep\n",
    "odd": "  ./a.log  \n\n.\n/../b\nsub//keep\n[ab].*\n//c.txt\n",
}


@pytest.mark.parametrize("name", IGNORES)
@pytest.mark.parametrize("file", [".dockerignore", "Dockerfile.dockerignore"])
async def test_the_context_is_what_buildkit_builds_from(name: str, file: str) -> None:
    """A build that copies all of its context tells what BuildKit itself leaves out."""
    context = dag.directory().with_new_file("Dockerfile", "FROM scratch\nCOPY . /\n").with_new_file(file, IGNORES[name])
    for path in ("a.log", "b", "c.txt", "sub/keep", "sub/b.log", "sub/deep/x", "deep/y", "a.txt"):
        context = context.with_new_file(path, path)
    image = Image(name="x", dockerfile="Dockerfile", context=".", platforms=("linux/amd64",))
    config = Config(repositories=("registry.test/x",), images=(image,))
    words = ["--frontend", "dockerfile.v0", "--local", "context=/x", "--local", "dockerfile=/x"]
    client = open_buildkit(config, secrets={}, hidden=()).own.client().with_mounted_directory("/x", context)
    done = client.with_exec(["buildctl", "--wait", "build", *words, "--output", "type=local,dest=/out"])
    built = await done.directory("/out").glob("**")
    plan = Plan(config=config, variants=(Variant(image=image, platform="linux/amd64"),))
    ours = await (await read_definitions(plan, context))["x"].context.glob("**")
    assert sorted(path.strip("/") for path in ours) == sorted(path.strip("/") for path in built)


async def test_what_another_image_needs_is_built_again_with_it_and_smoked_as_published(plain: Registry) -> None:
    """An image of a registry is nothing to build on, nor to start beside another one."""
    files = {
        **FILES,
        "docker/Dockerfile.alpha": "FROM python:3.13-slim\nCOPY hello.txt /srv/\nWORKDIR /srv\n"
        'CMD ["python", "-m", "http.server", "8000"]\n',
        "beta/Dockerfile": "FROM alpha\nCOPY hello.txt /\n",
        "deploy/images.yaml": """
repository: registry.test/{name}
sbom: off
provenance: off # it says when it was written, and two indexes are compared
images:
  - name: alpha
    dockerfile: docker/Dockerfile.alpha
    context: alpha
    platforms: [linux/amd64]
    smoke: [{tcp: {port: 8000}}]
  - name: beta
    dockerfile: beta/Dockerfile
    context: beta
    platforms: [linux/amd64]
    contexts: {alpha: "target:alpha"}
    services: {files: {image: "target:alpha", port: 8000}}
    smoke:
      - run: [python, -c, "import urllib.request as u; print(u.urlopen('http://files:8000/hello.txt').read().decode())"]
        services: [files]
        stdout: {equals: hello}
""",
    }
    for revision in (FIRST, SECOND):
        done = await publish(files, revision, plain.host, "needs", resmoke=True)
        assert done.ok, done
        assert set(reused(done).values()) == {""}
    assert done.built
    assert done.built.reasons == {
        "alpha": "another image of the same run needs it: beta",
        "beta": "it is built on, or checked beside, another image of the same run: alpha",
    }
    # Staged one by one, the same: what stands beside an image is pulled by what was staged of it.
    commit = await commit_of(files, SECOND, plain.host, "needs-staged")
    request = ReleaseRequest(revision=SECOND, created=parse_created(WHEN[SECOND]), tags=LATEST, resmoke=True)
    folders = []
    for name in LATEST:
        part = replace(commit.plan, variants=tuple(v for v in commit.plan.variants if v.image.name == name))
        staging = await stage_part(commit.plan, part, request, commit.builder, commit.destination)
        assert staging.delivery.ok, staging
        folders.append(staging.folder)
    finished = await finish_staged(commit.plan, request, folders, commit.destination)
    assert finished.ok, finished
    assert await live(plain.host, "needs-staged") == await live(plain.host, "needs")
