"""A second attempt after one that failed, reads that lag behind writes, and what one registry has and another lacks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import httpx
import pytest

from ci.release.outcome import Change, Delivery, Release
from ci.release.report import render_checksums
from tests.support.proxy import Fault, FaultProxy, Kind, Rule, Seen, always
from tests.support.servers import Registry, run_registry

from .conftest import Commit, live
from .conftest import publish as push
from .test_reuse import FILES, FIRST, SECOND, changed, publish, reused

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

DENIED = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')
OWN = "sha-1111111"
# As another build of the same commit, whose digests are others: a package or a time has changed.
AGAIN = {**changed("alpha/hello.txt", "hello", "hello\n"), "beta/hello.txt": "hello\n"}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry that deletes no tags, as ghcr.io is one."""
    with run_registry(tmp_path_factory.mktemp("keeper") / "registry", deletes=False) as registry:
        yield registry


def released(delivery: Delivery) -> Release:
    assert delivery.released
    return delivery.released


def lagging(path: str, digest: str, reads: int) -> Rule:
    """Answer some reads of a tag, after it was written, with what it named before."""
    written: list[int] = []
    old = Fault(kind=Kind.STATUS, status=200, headers=(("Docker-Content-Digest", digest),))

    def rule(seen: Seen) -> Fault | None:
        if not seen.path.endswith(path):
            return None
        if seen.method == "PUT":
            written.append(seen.number)
        elif seen.method == "HEAD" and written and len(written) <= reads:
            written.append(seen.number)
            return old
        return None

    return rule


async def test_reads_that_lag_for_a_moment_fail_no_release(old: Commit, new: Commit, plain: Registry) -> None:
    assert (await push(old, plain.host, "lag")).ok
    before = await live(plain.host, "lag")
    with FaultProxy(plain.port, rule=lagging("alpha/manifests/latest", before["alpha"], 3)) as proxy:
        done = await push(new, proxy.host, "lag")
    assert done.ok, done.problems
    assert await live(plain.host, "lag") == await live(plain.host, "lag", new.tag)


async def test_a_lagging_read_does_not_keep_what_was_written(old: Commit, new: Commit, plain: Registry) -> None:
    """The read says that the tag names the earlier image still; the write's own answer says that it does not."""
    assert (await push(old, plain.host, "behind")).ok
    before = await live(plain.host, "behind")
    with FaultProxy(plain.port, rule=lagging("alpha/manifests/latest", before["alpha"], 1000)) as proxy:
        done = await push(new, proxy.host, "behind")
    assert not done.ok
    assert f"alpha:latest names {before['alpha']} instead of" in done.problems[0]
    assert {o.change for o in done.tags if o.tag == "latest"} == {Change.RESTORED}
    assert await live(plain.host, "behind") == before


async def test_a_row_of_what_was_not_written_is_read_last(old: Commit, new: Commit, plain: Registry) -> None:
    assert (await push(old, plain.host, "rows")).ok
    moved: list[str] = []

    def rule(seen: Seen) -> Fault | None:
        """Refuse the first move, and let somebody else move the second tag meanwhile."""
        if seen.method != "PUT" or not seen.path.endswith("alpha/manifests/latest"):
            return None
        with httpx.Client(base_url=f"http://{plain.host}/v2/rows/beta/manifests") as http:
            index = http.get(f"/{new.tag}", headers={"Accept": "application/vnd.oci.image.index.v1+json"})
            http.put("/latest", content=index.content, headers={"Content-Type": index.headers["Content-Type"]})
            moved.append(index.headers["Docker-Content-Digest"])
        return DENIED

    with FaultProxy(plain.port, rule=rule) as proxy:
        done = await push(new, proxy.host, "rows")
    rows = {o.repository.rpartition("/")[2]: o for o in done.tags if o.tag == "latest"}
    assert rows["beta"].change is Change.NOT_WRITTEN
    assert rows["beta"].after == moved[0] != rows["beta"].before


async def test_a_second_attempt_takes_what_the_first_has_named(keeper: Registry) -> None:
    """The first was cut off while it named the commit, and what it named cannot be deleted."""
    with FaultProxy(keeper.port, rule=always(DENIED, "PUT", f"beta/manifests/{OWN}")) as proxy:
        assert not (await publish(FILES, FIRST, proxy.host, "half", once=True)).ok
    left = await live(keeper.host, "half", OWN)
    assert left["alpha"]
    assert not left["beta"]
    by_hand = released(await publish(AGAIN, FIRST, keeper.host, "half"))
    assert "exists with another digest" in by_hand.problems[0]
    assert f"Not every image has {OWN}, in every registry" in by_hand.next
    done = await publish(AGAIN, FIRST, keeper.host, "half", once=True)
    assert done.ok, released(done).problems
    assert reused(done) == {"alpha@linux/amd64": OWN, "alpha@linux/arm64": OWN, "beta@linux/amd64": ""}
    now = await live(keeper.host, "half", OWN)
    assert now["alpha"] == left["alpha"]
    assert await live(keeper.host, "half") == now
    # Both indexes, and the one variant that this run built.
    assert len(render_checksums(released(done)).splitlines()) == 3


async def test_a_second_attempt_completes_the_other_registry(keeper: Registry, plain: Registry) -> None:
    hosts = plain.host, keeper.host
    with FaultProxy(keeper.port, rule=always(DENIED, "PUT", f"beta/manifests/{OWN}")) as proxy:
        assert not (await publish(FILES, FIRST, (plain.host, proxy.host), "other", once=True)).ok
    assert (await live(keeper.host, "other", OWN))["alpha"]
    done = await publish(AGAIN, FIRST, hosts, "other", once=True)
    assert done.ok, released(done).problems
    assert await live(plain.host, "other") == await live(keeper.host, "other") == await live(plain.host, "other", OWN)
    # And once more, when all is there: nothing is built, pushed or moved.
    with FaultProxy(plain.port) as first, FaultProxy(keeper.port) as second:
        assert (await publish(AGAIN, FIRST, (first.host, second.host), "other", once=True)).ok
        assert {seen.method for seen in (*first.seen, *second.seen)} <= {"GET", "HEAD"}


async def test_a_registry_that_comes_later_gets_the_same_bytes(plain: Registry, other: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "later")).ok
    with FaultProxy(plain.port) as first, FaultProxy(other.port) as second:
        done = await publish(FILES, SECOND, (first.host, second.host), "later")
        assert done.ok, released(done).problems
        assert set(reused(done).values()) == {OWN}
        assert not [seen for seen in first.seen if "/blobs/uploads/" in seen.path]
        assert [seen for seen in second.seen if "/blobs/uploads/" in seen.path]
    assert await live(plain.host, "later") == await live(other.host, "later")
    assert await live(plain.host, "later") == await live(other.host, "later", "sha-2222222")


async def test_what_is_lost_in_one_registry_comes_from_the_other(plain: Registry, other: Registry) -> None:
    both = plain.host, other.host
    assert (await publish(FILES, FIRST, both, "lost")).ok
    before = await live(plain.host, "lost")
    shutil.rmtree(other.log.parent / "data/docker/registry/v2/repositories/lost/beta/_layers")
    done = await publish(FILES, FIRST, both, "lost")
    assert done.ok, released(done).problems
    assert set(reused(done).values()) == {OWN}
    assert await live(other.host, "lost") == before


async def test_what_failed_after_the_commit_had_its_names_is_tried_once(plain: Registry) -> None:
    assert (await publish(FILES, FIRST, plain.host, "tries")).ok
    with FaultProxy(plain.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(AGAIN, SECOND, proxy.host, "tries", once=True)
        assert not done.ok
        moves = [seen for seen in proxy.seen if seen.method == "PUT" and seen.path.endswith("alpha/manifests/latest")]
    assert len(moves) == 2, "to the new image, and back"
    assert released(done).named
    assert await live(plain.host, "tries") == await live(plain.host, "tries", OWN)
