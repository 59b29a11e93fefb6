"""A release to registries with ways of their own, by a proxy before a real one: whole, or refused in time."""

from __future__ import annotations

import json
import time

import pytest

from ci.release.outcome import Change
from tests.support.proxy import Fault, FaultProxy, Kind, Rule, Seen, always
from tests.support.servers import Registry

from .conftest import Commit, client, live, publish

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]


def answer(status: int, code: str, message: str, *headers: tuple[str, str], **more: object) -> Fault:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Fault(kind=Kind.STATUS, status=status, headers=headers, body=body, **more)  # type: ignore[arg-type]


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
LIMIT = answer(403, "DENIED", SECONDARY, ("Retry-After", "2"))
FORBIDDEN = answer(403, "DENIED", "requested access to the resource is denied")
IMMUTABLE = answer(
    400,
    "TAG_INVALID",
    "The image tag 'latest' already exists and cannot be overwritten because the repository is immutable.",
)


def once(fault: Fault, method: str, path: str) -> Rule:
    left = [fault]
    return lambda seen: left.pop() if left and seen.method == method and path in seen.path else None


def written(proxy: FaultProxy) -> list[Seen]:
    return [seen for seen in proxy.seen if seen.method not in {"GET", "HEAD"}]


@pytest.mark.parametrize("path", ["/manifests/sha256:", "/manifests/sha-", "/manifests/latest", "/blobs/"])
async def test_a_limit_that_is_a_403_is_waited_for(new: Commit, plain: Registry, path: str) -> None:
    """As ghcr.io says it (markrussinovich/refchecker#67)."""
    prefix = f"limit-{path.strip('/:-').replace('/', '-')}"
    start = time.monotonic()
    with FaultProxy(plain.port, rule=once(LIMIT, "PUT", path)) as proxy:
        done = await publish(new, proxy.host, prefix)
        assert [seen for seen in proxy.seen if seen.fault]
    assert done.ok, done.problems
    assert done.retries == 1
    assert time.monotonic() - start > 2
    assert await live(plain.host, prefix) == await live(plain.host, prefix, new.tag)


async def test_a_limit_that_lasts_leaves_everything_as_it_was(old: Commit, new: Commit, plain: Registry) -> None:
    assert (await publish(old, plain.host, "limited")).ok
    before = await live(plain.host, "limited")
    lasting = answer(403, "DENIED", SECONDARY, ("Retry-After", "0"))
    with FaultProxy(plain.port, rule=always(lasting, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(new, proxy.host, "limited")
    assert not done.ok
    assert "limits requests: wait" in done.problems[0]
    assert "packages: write" not in str(done)
    assert await live(plain.host, "limited") == before


@pytest.mark.parametrize("prefix", ["server-404", "error-429-page", "rate-limit-503"])
async def test_a_number_in_a_name_decides_nothing(new: Commit, plain: Registry, prefix: str) -> None:
    """As in kubernetes/ingress-gce's ingress-gce-404-server-with-metrics."""
    denied = answer(403, "DENIED", f"permission_denied: write to {prefix}/alpha")
    with FaultProxy(plain.port, rule=always(denied, "POST")) as proxy:
        done = await publish(new, proxy.host, prefix)
        assert len(written(proxy)) == 2  # one for each image
    assert not done.ok
    assert done.retries == 0
    assert all("packages: write" in problem for problem in done.problems)
    assert await live(plain.host, prefix) == {"alpha": "", "beta": ""}


async def test_what_is_absent_is_forbidden(old: Commit, new: Commit, plain: Registry) -> None:
    """As on Artifactory (google/go-containerregistry#1691): its list of tags says that there is none."""
    absent = answer(403, "DENIED", "requested access to the resource is denied", after=True, only=404)
    with FaultProxy(plain.port, rule=always(absent, path="/manifests/")) as proxy:
        for commit in (old, new):
            done = await publish(commit, proxy.host, "absent")
            assert done.ok, done.problems
    assert await live(plain.host, "absent") == await live(plain.host, "absent", new.tag)


async def test_a_tag_that_may_exist_and_cannot_be_read_is_never_written(
    old: Commit, new: Commit, plain: Registry
) -> None:
    assert (await publish(old, plain.host, "hidden")).ok
    before = await live(plain.host, "hidden")

    def rule(seen: Seen) -> Fault | None:
        hidden = "/manifests/latest" in seen.path or "/tags/list" in seen.path
        return FORBIDDEN if hidden and seen.method in {"GET", "HEAD"} else None

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await publish(new, proxy.host, "hidden")
        assert not written(proxy)
    assert not done.ok
    assert "nobody knows whether this one exists" in done.problems[0]
    assert await live(plain.host, "hidden") == before
    assert await live(plain.host, "hidden", new.tag) == {"alpha": "", "beta": ""}


async def test_tags_that_cannot_move(old: Commit, new: Commit, plain: Registry) -> None:
    """As on ECR and Harbor, with all tags immutable: what was moved is taken back, and the reason is said."""
    assert (await publish(old, plain.host, "fixed")).ok
    before = await live(plain.host, "fixed")
    with FaultProxy(plain.port, rule=always(IMMUTABLE, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(new, proxy.host, "fixed")
        assert done.retries == 0
    assert not done.ok
    assert "exempt those that a release moves" in done.problems[0]
    assert await live(plain.host, "fixed") == before
    # The commit has its own name, which is new, so that nothing is built again once the rule is changed.
    assert {o.change for o in done.tags if o.tag == new.tag} == {Change.CREATED}


async def test_a_repository_that_has_to_be_made_first(new: Commit, plain: Registry) -> None:
    """As on ECR."""
    missing = answer(404, "NAME_UNKNOWN", "The repository with name 'x' does not exist in the registry with id '1'")
    with FaultProxy(plain.port, rule=always(missing)) as proxy:
        done = await publish(new, proxy.host, "unmade")
        assert len(written(proxy)) == 2
    assert all("Create the repository first" in problem for problem in done.problems)


async def test_answers_without_digest_and_size(new: Commit, plain: Registry) -> None:
    bare = Fault(kind=Kind.WITHOUT, headers=(("Docker-Content-Digest", ""), ("Content-Length", ""), ("Location", "")))

    def rule(seen: Seen) -> Fault | None:
        return None if seen.method in {"POST", "PATCH"} else bare

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await publish(new, proxy.host, "bare")
    assert done.ok, done.problems
    async with client(plain.host) as registry:
        assert (await registry.get_manifest("bare/alpha", "latest")).is_index
