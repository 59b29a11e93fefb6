"""What a release promises: all images or none, nothing overwritten, nothing older on top, and words for the rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ci.release.outcome import Change, Release
from ci.release.promotion import promote
from ci.release.verification import verify
from tests.support.proxy import Fault, FaultProxy, Kind, always
from tests.support.servers import PASSWORD, USER, Registry, TokenServer, make_certificate, run_registry

from .conftest import Commit, client, connect, live, publish

pytestmark = [pytest.mark.usefixtures("session"), pytest.mark.timeout(300)]

LOGIN = (USER, PASSWORD)
DENIED = Fault(kind=Kind.STATUS, status=403, body=b'{"errors":[{"code":"DENIED","message":"injected"}]}')


def changes(done: Release, tag: str = "latest") -> dict[str, Change]:
    return {o.repository.rpartition("/")[2]: o.change for o in done.tags if o.tag == tag}


def notes(done: Release) -> str:
    return " ".join(outcome.note for outcome in done.tags)


async def test_the_first_release_creates_every_tag_and_the_second_changes_nothing(old: Commit, plain: Registry) -> None:
    done = await publish(old, plain.host, "first")
    assert done.ok, done.problems
    for tag in (old.tag, "latest"):
        assert changes(done, tag) == {"alpha": Change.CREATED, "beta": Change.CREATED}
    assert await live(plain.host, "first") == await live(plain.host, "first", old.tag)
    again = await publish(old, plain.host, "first")
    assert again.ok
    assert {*changes(again).values(), *changes(again, old.tag).values()} == {Change.UNCHANGED}
    async with connect(plain.host) as registries:
        for revision in (old.revision, old.revision[:7]):
            assert (await verify(registries, old.at(plain.host, "first", "latest"), revision)).ok


async def test_an_image_of_one_platform_is_an_index_too(old: Commit, plain: Registry) -> None:
    assert (await publish(old, plain.host, "shape")).ok
    async with client(plain.host) as registry:
        platforms = {}
        for name in ("alpha", "beta"):
            manifest = await registry.get_manifest(f"shape/{name}", "latest")
            assert manifest.media_type == "application/vnd.oci.image.index.v1+json"
            platforms[name] = [entry.platform for entry in manifest.listed]
    # An attestation of each variant stands behind them.
    attested = "unknown/unknown"
    assert platforms == {
        "alpha": ["linux/amd64", "linux/arm64", attested, attested],
        "beta": ["linux/amd64", attested],
    }


async def test_an_older_commit_that_finishes_last_leaves_latest_alone(
    old: Commit, new: Commit, plain: Registry
) -> None:
    assert (await publish(new, plain.host, "late")).ok
    latest = await live(plain.host, "late")
    done = await publish(old, plain.host, "late")
    assert done.ok
    assert changes(done) == {"alpha": Change.KEPT, "beta": Change.KEPT}
    assert "--allow-older" in "".join(done.notes)
    assert await live(plain.host, "late") == latest
    forced = await publish(old, plain.host, "late", allow_older=True)
    assert changes(forced) == {"alpha": Change.MOVED, "beta": Change.MOVED}
    assert await live(plain.host, "late") == await live(plain.host, "late", old.tag)


async def test_two_releases_at_once_end_whole_or_say_what_is_live(old: Commit, new: Commit, plain: Registry) -> None:
    for attempt in range(6):
        prefix = f"both-{attempt}"
        first, second = await asyncio.gather(*(publish(commit, plain.host, prefix) for commit in (old, new)))
        now = await live(plain.host, prefix)
        whole = [await live(plain.host, prefix, commit.tag) for commit in (old, new)]
        if now not in whole:
            assert not (first.ok and second.ok)
            assert "was moved by somebody else" in notes(first) + notes(second)
        # Whatever they left, the newer one can be released again.
        assert (await publish(new, plain.host, prefix)).ok
        assert await live(plain.host, prefix) == await live(plain.host, prefix, new.tag)


async def test_a_refused_move_takes_the_others_back(old: Commit, new: Commit, plain: Registry) -> None:
    assert (await publish(old, plain.host, "refused")).ok
    before = await live(plain.host, "refused")
    with FaultProxy(plain.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(new, proxy.host, "refused")
    assert not done.ok
    assert changes(done) == {"alpha": Change.RESTORED, "beta": Change.NOT_WRITTEN}
    assert await live(plain.host, "refused") == before


async def test_a_refused_first_release_where_no_tag_can_be_deleted_says_what_is_live(
    new: Commit, plain: Registry
) -> None:
    """ghcr.io is such a registry too."""
    with FaultProxy(plain.port, rule=always(DENIED, "PUT", "beta/manifests/latest")) as proxy:
        done = await publish(new, proxy.host, "kept")
    now = await live(plain.host, "kept")
    assert not done.ok
    told = {o.repository.rpartition("/")[2]: o.after or "" for o in done.tags if o.tag == "latest"}
    assert told == now
    assert now["alpha"]
    assert "deletes no tags" in notes(done)


async def test_a_commit_is_never_given_another_digest_silently(old: Commit, new: Commit, plain: Registry) -> None:
    assert (await publish(old, plain.host, "taken")).ok
    async with client(plain.host) as registry:
        for name in ("alpha", "beta"):  # as another build of the new commit would
            found = await registry.get_manifest(f"taken/{name}", "latest")
            await registry.put_manifest(f"taken/{name}", new.tag, found.body, found.media_type)
    before = await live(plain.host, "taken")
    done = await publish(new, plain.host, "taken")
    assert not done.ok
    assert "exists with another digest" in done.problems[0]
    assert "--overwrite" in done.next
    assert await live(plain.host, "taken") == await live(plain.host, "taken", new.tag) == before
    assert (await publish(new, plain.host, "taken", overwrite=True)).ok
    assert await live(plain.host, "taken") == await live(plain.host, "taken", new.tag) != before


async def test_a_release_with_a_password_and_its_checks_run_again_on_what_is_served(
    new: Commit, tmp_path: Path
) -> None:
    with run_registry(tmp_path / "basic", htpasswd=True) as basic:
        done = await publish(new, basic.host, "acme", login=LOGIN, resmoke=True)
        assert done.ok, done.problems
        assert await live(basic.host, "acme", login=LOGIN) == await live(basic.host, "acme", new.tag, login=LOGIN)


async def test_a_wrong_password_is_refused_with_the_remedy_and_never_shown(new: Commit, tmp_path: Path) -> None:
    with run_registry(tmp_path / "closed", htpasswd=True) as closed:
        done = await publish(new, closed.host, "acme", login=(USER, "planted-wrong-5512"))
        assert await live(closed.host, "acme", login=LOGIN) == {"alpha": "", "beta": ""}
    assert not done.ok
    assert "planted-wrong-5512" not in str(done)
    assert all("Check the user name and the token" in problem for problem in done.problems)


async def test_a_release_with_tokens_and_the_scope_that_is_missing(new: Commit, tmp_path: Path) -> None:
    with TokenServer(make_certificate(tmp_path)) as tokens, run_registry(tmp_path / "r", token=tokens) as guarded:
        done = await publish(new, guarded.host, "acme", login=LOGIN)
        assert done.ok, done.problems
        tokens.grant = ("pull",)
        refused = await publish(new, guarded.host, "missing", login=LOGIN)
        assert not refused.ok
        assert not [token for token in tokens.tokens if token in str(refused)]
        assert "needs the scope repository:missing/alpha:pull,push; on GitHub, `packages: write`" in refused.problems[0]
        assert await live(guarded.host, "missing", login=LOGIN) == {"alpha": "", "beta": ""}


async def test_verify_names_what_is_not_there_and_what_was_moved(old: Commit, new: Commit, plain: Registry) -> None:
    async with connect(plain.host) as registries:
        registry = registries.clients[plain.host]
        nowhere = await verify(registries, old.at(plain.host, "nowhere", "latest"), old.revision)
        assert not nowhere.ok
        assert all("does not exist" in problem for problem in nowhere.problems)
        assert "publish" in nowhere.next
        assert (await publish(old, plain.host, "moved")).ok
        assert (await publish(new, plain.host, "moved")).ok
        found = await registry.get_manifest("moved/beta", old.tag)
        await registry.put_manifest("moved/beta", "latest", found.body, found.media_type)
        done = await verify(registries, new.at(plain.host, "moved", "latest"), new.revision)
    assert [p.partition(" names ")[0] for p in done.problems] == [f"{plain.host}/moved/beta:latest"]
    assert f"promote --from {new.tag} --tag latest" in done.next


async def test_verify_advises_no_release_where_the_registry_gave_no_answer(old: Commit, plain: Registry) -> None:
    assert (await publish(old, plain.host, "unread")).ok
    # Where only the HEAD is refused, a GET asks for the reason, and finds none.
    with FaultProxy(plain.port, rule=always(DENIED, path="beta/manifests")) as proxy:
        async with connect(proxy.host) as registries:
            done = await verify(registries, old.at(proxy.host, "unread", "latest"), old.revision)
    assert not done.ok
    assert "run the same command again" in done.next
    assert "publish" not in done.next


async def test_promotion_by_tag_and_by_digest(old: Commit, new: Commit, plain: Registry) -> None:
    host, prefix = plain.host, "promoted"
    assert (await publish(old, host, prefix)).ok
    assert (await publish(new, host, prefix)).ok
    targets = new.at(host, prefix, "latest")
    async with connect(host) as registries:
        assert (await promote(registries, new.at(host, prefix, "stable"), new.tag)).ok
        assert await live(host, prefix, "stable") == await live(host, prefix, new.tag)
        digest = (await live(host, prefix, old.tag))["beta"]
        back = await promote(registries, targets, digest)
        assert back.ok, back.problems
        assert await live(host, prefix) == await live(host, prefix, old.tag)
        unknown = await promote(registries, targets, "sha256:" + "0" * 64)
        assert "No image has the digest" in unknown.problems[0]


async def test_a_promotion_of_what_is_not_whole_moves_nothing(old: Commit, new: Commit, plain: Registry) -> None:
    host, prefix = plain.host, "partial"
    assert (await publish(old, host, prefix)).ok
    assert (await publish(new, host, prefix)).ok
    before = await live(host, prefix)
    async with connect(host) as registries:
        registry = registries.clients[host]
        for name, source in (("alpha", old.tag), ("beta", new.tag)):
            found = await registry.get_manifest(f"{prefix}/{name}", source)
            await registry.put_manifest(f"{prefix}/{name}", "mixed", found.body, found.media_type)
        mixed = await promote(registries, new.at(host, prefix, "latest"), "mixed")
        assert "images of several commits" in mixed.problems[0]
        found = await registry.get_manifest(f"{prefix}/alpha", "latest")
        await registry.put_manifest(f"{prefix}/alpha", "lone", found.body, found.media_type)
        lone = await promote(registries, new.at(host, prefix, "latest"), "lone")
        assert lone.problems == (f"{host}/{prefix}/beta:lone does not exist",)
    assert await live(host, prefix) == before
