"""No tag names what has not been signed by whom the configuration wants: each fault in a real registry, by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ci.core.errors import DrydockError
from ci.core.model import Config, Plan, Variant
from ci.core.supply import Require, Signed
from ci.release import trust
from ci.release.bundles import read_bundle
from ci.release.deliver import deliver
from ci.release.folder import Folder
from ci.release.outcome import Change, Release
from ci.release.promotion import promote
from ci.release.record import Record
from ci.release.request import Target
from ci.release.signed import promise_signed
from ci.release.trust import Trust
from ci.release.verification import verify
from tests.support.releases import Shelf
from tests.support.servers import Registry
from tests.support.sigstore import (
    AUTHORITY,
    ISSUER,
    PROVENANCE,
    SHOP,
    SIGNED,
    Authority,
    encoded,
    key_bundle,
    new_key,
    public_pem,
    sign,
    statement,
)

from .conftest import connect, live
from .hand import NEW, Hand, config_of, destination, finish, plan_of, request_of, stage

pytestmark = pytest.mark.timeout(120)

KEY = new_key()
OTHER = f"sha256:{'2' * 64}"
WORKFLOW = f"{SHOP}/.github/workflows/images.yml@refs/heads/main"
Bundle = dict[str, Any]
Make = Callable[[str], Bundle]


def config(signed: Signed | None = None) -> Config:
    return replace(
        config_of(),
        source=SHOP,
        require=Require(signed=signed or Signed()),
        trusted_root=AUTHORITY.trusted_root(),
    )


@dataclass(frozen=True)
class Prepared:
    """A release that is staged and prepared, and waits for signatures."""

    host: str
    prefix: str
    config: Config
    folders: list[Folder]
    digests: dict[str, list[str]]  # by image, that of the index first

    def sign(self, make: Make, *, leave_out: str = "") -> None:
        """Put what is made of each digest beside it, as cosign does where a registry has no list."""
        for name, digests in self.digests.items():
            shelf = Shelf(f"http://{self.host}", f"{self.prefix}/{name}")
            for digest in digests:
                if digest == leave_out:
                    continue
                found = shelf.http.get(
                    f"{shelf.url}/v2/{shelf.name}/manifests/{digest}", headers={"Accept": "application/*, */*"}
                )
                kind = found.headers["Content-Type"]
                subject = {"mediaType": kind, "digest": digest, "size": len(found.content)}
                shelf.fallback(subject, shelf.bundle(subject, json.dumps(make(digest)).encode()))
            shelf.http.close()

    async def finish(self) -> Release:
        return await finish(self.host, self.prefix, self.folders, config=self.config)

    async def named(self) -> bool:
        found = [await live(self.host, self.prefix, tag) for tag in ("latest", f"sha-{NEW[0][:7]}")]
        return any(digest for each in found for digest in each.values())


async def prepared(host: str, prefix: str, wanted: Config) -> Prepared:
    done, folder = await stage(host, prefix, config=wanted)
    assert done.ok, done.problems
    ready = await finish(host, prefix, [folder], config=wanted, prepare=True)
    assert ready.ok, ready.problems
    digests = {image.image: [str(image.digest), *(one.digest for one in image.variants)] for image in ready.images}
    return Prepared(host, prefix, wanted, [folder], digests)


async def test_what_is_signed_is_named_and_verified_and_promoted(plain: Registry) -> None:
    one = await prepared(plain.host, "signed", config())
    refused = await one.finish()
    assert not refused.ok
    assert len(refused.problems) == 5  # two indexes, and three variants
    index = one.digests["alpha"][0]
    assert refused.problems[0] == (
        f"{plain.host}/signed/alpha@{index}, the index, is not signed as require: signed says: no bundle of Sigstore "
        f"refers to it in {plain.host}/signed/alpha; a workflow of the repository has to sign it: by actions/attest, "
        f"or by cosign sign {plain.host}/signed/alpha@{index} of version 3"
    )
    assert any(", alpha@linux/arm64, is not signed" in problem for problem in refused.problems)
    assert "then run the same command again" in refused.next
    assert not await one.named()

    one.sign(AUTHORITY.bundle, leave_out=one.digests["beta"][1])
    refused = await one.finish()
    assert [", beta@linux/amd64, is not signed" in problem for problem in refused.problems] == [True]
    assert not await one.named()

    one.sign(lambda digest: AUTHORITY.bundle(digest, predicate=SIGNED))
    done = await one.finish()
    assert done.ok, done.problems
    assert {outcome.change for outcome in done.tags} == {Change.CREATED}
    assert (await look(one)).ok
    assert (await move(one)).ok


async def test_a_release_of_before_is_told_as_what_it_is(plain: Registry) -> None:
    """The rule came later: verify says what is not signed, and nothing takes another tag to it."""
    before = replace(config(), require=Require())
    done, folder = await stage(plain.host, "before", config=before)
    assert done.ok
    assert (await finish(plain.host, "before", [folder], config=before)).ok
    one = Prepared(plain.host, "before", config(), [folder], {})
    seen, moved = await look(one), await move(one)
    for told in (seen, moved):
        assert len(told.problems) >= 2, told.problems
        assert all("is not signed as require: signed says: no bundle of Sigstore" in text for text in told.problems)
        assert "Mend what is named above" in told.next
    assert not (await live(plain.host, "before", "stable"))["alpha"]


async def look(one: Prepared) -> Release:
    plan = plan_of(NEW, one.config)
    targets = destination(one.host, one.prefix).targets(plan, created=request_of(plan).created)
    async with connect(one.host) as registries:
        return await verify(registries, targets, NEW[0], promises=promise_signed(one.config))


async def move(one: Prepared) -> Release:
    plan = plan_of(NEW, one.config)
    targets = destination(one.host, one.prefix).targets(plan, tags=request_of(plan, NEW, "stable").tags)
    async with connect(one.host) as registries:
        return await promote(registries, targets, f"sha-{NEW[0][:7]}", promises=promise_signed(one.config))


def changed(digest: str, change: Callable[[Bundle], object]) -> Bundle:
    return AUTHORITY.bundle(digest, change=change)


FORGER = Authority(log=AUTHORITY.log, certificate_log=AUTHORITY.certificate_log)
WRONG = "counts: its signature is wrong"
FAULTS: list[tuple[Make, str]] = [
    (lambda _: AUTHORITY.bundle(OTHER), "counts: it is about another digest"),
    (
        lambda d: AUTHORITY.bundle(d, repository="https://github.com/acme/other"),
        f"counts: it was signed by a workflow of https://github.com/acme/other, and not of {SHOP}",
    ),
    (
        lambda d: AUTHORITY.bundle(d, issuer="https://accounts.google.com"),
        f"counts: it was signed for an identity of https://accounts.google.com, and not of {ISSUER}",
    ),
    (
        lambda d: changed(d, lambda b: b["dsseEnvelope"].update(payload=encoded(statement(d, OTHER)))),
        WRONG,
    ),
    (
        lambda d: changed(d, lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=encoded(sign(KEY, b"x")))),
        WRONG,
    ),
    (FORGER.bundle, "counts: no authority that is trusted has issued its certificate"),
    (
        lambda d: AUTHORITY.bundle(d, signed_at=datetime.now(UTC) + timedelta(hours=1)),
        "counts: its certificate was not valid when it was signed",
    ),
    (lambda d: AUTHORITY.bundle(d, logged=False), "counts: no entry of a transparency log comes with it"),
    (lambda d: key_bundle(KEY, d), "counts: it was signed with a key, and not by an identity"),
    (lambda d: AUTHORITY.bundle(d, predicate="https://spdx.dev/Document"), "counts: its type is https://spdx.dev/Doc"),
    (lambda _: {"verificationMaterial": {"certificate": None}}, "counts: the bundle cannot be read: KeyError"),
    (
        lambda d: changed(d, lambda b: b["verificationMaterial"].update(certificate=None)),
        "counts: it names neither a certificate nor a key",
    ),
    (lambda d: {**AUTHORITY.bundle(d), "x": " " * 10_000_000}, "counts: the bundle has 10.0 MB, and no more than"),
]


async def test_every_fault_has_a_sentence_and_nothing_is_named(plain: Registry) -> None:
    one = await prepared(plain.host, "faults", config())
    for make, sentence in FAULTS:
        one.sign(make)
        done = await one.finish()
        assert len(done.problems) == 5
        assert all(sentence in problem for problem in done.problems), (sentence, done.problems)
        assert not await one.named()
    # Another signature beside them is enough.
    one.sign(AUTHORITY.bundle)
    assert (await one.finish()).ok


async def test_an_identity_or_a_key_of_ones_own(plain: Registry) -> None:
    issuer = "https://accounts.google.com"
    ada = Signed(by=("*@acme.test",), issuer=issuer)
    one = await prepared(plain.host, "ada", config(ada))
    one.sign(lambda digest: AUTHORITY.bundle(digest, identity="eve@evil.test", issuer=issuer, repository=""))
    done = await one.finish()
    assert "counts: it was signed by eve@evil.test, and not by *@acme.test; *@acme.test has to sign" in done.problems[0]
    one.sign(lambda digest: AUTHORITY.bundle(digest, identity="ada@acme.test", issuer=issuer, repository=""))
    assert (await one.finish()).ok

    one = await prepared(plain.host, "key", config(Signed(key=public_pem(KEY))))
    one.sign(lambda digest: key_bundle(new_key(), digest))
    done = await one.finish()
    assert (
        "counts: the key of the configuration has not signed it, or it was changed; cosign sign --key"
        in (done.problems[0])
    )
    one.sign(AUTHORITY.bundle)
    assert f"signed by {WORKFLOW}, and not with the key" in (await one.finish()).problems[0]
    one.sign(lambda digest: key_bundle(KEY, digest, predicate=PROVENANCE))
    assert (await one.finish()).ok


async def test_signatures_of_cosigns_old_kind_do_not_count(plain: Registry) -> None:
    one = await prepared(plain.host, "old", config())
    shelf = Shelf(f"http://{plain.host}", "old/alpha")
    for digest in one.digests["alpha"]:
        shelf.tag(digest, f"{digest.replace(':', '-')}.sig")
    shelf.http.close()
    done = await one.finish()
    old = [problem for problem in done.problems if "is of cosign before version 3, and does not count" in problem]
    assert [problem for problem in done.problems if "/old/alpha@" in problem] == old
    assert len(old) == 3


async def test_a_wrong_key_or_root_is_the_users_mistake(plain: Registry) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    one = await prepared(plain.host, "mistake", config(Signed(key=pem)))
    one.sign(lambda digest: key_bundle(KEY, digest))
    assert "the file holds no public key that can be used" in (await one.finish()).problems[0]
    rootless = replace(config(), trusted_root='{"certificateAuthorities": []}')
    one = await prepared(plain.host, "rootless", rootless)
    one.sign(AUTHORITY.bundle)
    assert "trusted-root: the file cannot be used" in (await one.finish()).problems[0]
    assert not await one.named()


class Reused(Hand):
    """Variants that an earlier release has built, before anybody had to sign."""

    def record(self, plan: Plan, target: Target, variant: Variant, digest: str) -> Record:
        return replace(super().record(plan, target, variant, digest), reused="sha-1234567")


async def test_what_was_reused_is_named_with_where_it_is_from(plain: Registry) -> None:
    done, folder = await stage(plain.host, "reused", hand=Reused(), config=config())
    assert done.ok, done.problems
    done = await finish(plain.host, "reused", [folder], config=config())
    told = ", alpha@linux/arm64 (reused from sha-1234567; --rebuild builds it anew), is not signed as require: signed"
    assert sum(told in problem for problem in done.problems) == 1, done.problems


async def test_publish_says_how_it_is_done_instead() -> None:
    plan = plan_of(NEW, config())
    with pytest.raises(DrydockError, match=r"nobody could sign in the middle.* finish --staged FOLDER --prepare"):
        await deliver(plan, request_of(plan), None, destination("127.0.0.1:1", "none"))  # type: ignore[arg-type]


async def test_without_a_network_those_count_that_came_along(monkeypatch: pytest.MonkeyPatch, plain: Registry) -> None:
    del plain
    monkeypatch.setattr(trust, "_FRESH", "http://127.0.0.1:9")
    assert await Trust().fault_of(read_bundle(AUTHORITY.bundle(OTHER))) == (
        "no authority that is trusted has issued its certificate (by the authorities that came with this module: "
        "http://127.0.0.1:9 did not answer)"
    )
