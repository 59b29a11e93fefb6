"""The ways of the registries of the world, spoken by a proxy before a real one; none of theirs was asked.

What each answers is taken from its documentation, or from the threads that are named.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ci.core.oci import OCI_MANIFEST, digest_of
from ci.registry import client as client_module
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.retry import Clock
from tests.support.programs import find_program
from tests.support.proxy import Fault, FaultProxy, Kind, Rule, Seen, always, at
from tests.support.servers import Registry, Reply, Request, Stub, TokenServer, run_registry

from .conftest import LOGIN, Content, client, fill
from .test_faults import OPERATIONS, Operation
from .test_operations import BASIC, exercise, fill_guarded
from .test_uploads import blob_of, reader
from .test_uploads import content as new_blob

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


def answer(status: int, code: str, message: str, *headers: tuple[str, str], **more: object) -> Fault:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Fault(kind=Kind.STATUS, status=status, headers=headers, body=body, **more)  # type: ignore[arg-type]


def dropping(*headers: str) -> Fault:
    return Fault(kind=Kind.WITHOUT, headers=tuple((name, "") for name in headers))


@contextmanager
def before(registry: Registry, rule: Rule) -> Iterator[FaultProxy]:
    with FaultProxy(registry.port, rule=rule) as proxy:
        yield proxy


@dataclass
class Nap:
    """A clock whose waits take no time, and are remembered."""

    waits: list[float] = field(default_factory=list)
    gone: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.gone += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: time.monotonic() + self.gone, sleep=self.sleep, random=lambda: 0.0)


# ghcr.io: a limit of requests is a 403 (markrussinovich/refchecker#67)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
async def test_a_403_that_is_a_limit_is_waited_for_and_counted(
    plain: Registry, content: Content, operation: Operation
) -> None:
    nap = Nap()
    with before(plain, at(1, answer(403, "DENIED", SECONDARY, ("Retry-After", "3")))) as proxy:
        async with client(proxy.host, clock=nap.clock) as registry:
            await operation(registry, content)
    assert nap.waits == [3.0]
    assert (registry.effort.retries, len(proxy.seen)) == (1, 2)
    assert registry.effort.seconds > 3


async def test_a_limit_that_does_not_say_for_how_long_is_given_a_minute(plain: Registry, content: Content) -> None:
    nap = Nap()
    with before(
        plain, at(1, Fault(kind=Kind.STATUS, status=403, body=json.dumps({"message": SECONDARY}).encode()))
    ) as p:
        async with client(p.host, clock=nap.clock) as registry:
            await registry.put_manifest(content.repository, "v1", content.manifest, OCI_MANIFEST)
    assert nap.waits == [60.0]


async def test_a_head_has_no_body_to_say_that_it_is_a_limit(plain: Registry, content: Content) -> None:
    """So the GET behind it is told, and waited for."""
    nap = Nap()
    limit = answer(403, "DENIED", SECONDARY)
    with before(plain, lambda seen: limit if seen.number <= 2 else None) as proxy:
        async with client(proxy.host, clock=nap.clock) as registry:
            assert await registry.resolve(content.repository, "v1") == content.digest
    assert nap.waits == [60.0]
    assert [seen.method for seen in proxy.seen] == ["HEAD", "GET", "GET"]


async def test_a_limit_that_lasts_ends_with_words_that_name_no_permission(plain: Registry, content: Content) -> None:
    nap = Nap()
    with before(plain, always(answer(403, "DENIED", SECONDARY), "PUT")) as proxy:
        async with client(proxy.host, clock=nap.clock) as registry:
            with pytest.raises(RegistryError, match="limits requests: wait 60 s") as caught:
                await registry.put_manifest(content.repository, "v1", content.manifest, OCI_MANIFEST)
    assert caught.value.kind is RegistryErrorKind.RATE_LIMITED
    assert "packages" not in str(caught.value)
    assert nap.waits == [60.0] * 3


async def test_hours_are_not_waited_for(plain: Registry, content: Content) -> None:
    """Docker Hub's limit of pulls lasts up to six hours."""
    nap = Nap()
    limit = answer(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", ("Retry-After", "21600"))
    with before(plain, always(limit)) as proxy:
        async with client(proxy.host, clock=nap.clock) as registry:
            with pytest.raises(RegistryError, match="wait 360 min"):
                await registry.get_manifest(content.repository, "v1")
    assert (nap.waits, len(proxy.seen)) == ([], 1)


# Artifactory: what is absent is forbidden (google/go-containerregistry#1691)

ABSENT = answer(403, "DENIED", "requested access to the resource is denied", after=True, only=404)


def absent_is_forbidden(seen: Seen) -> Fault | None:
    return ABSENT if "/manifests/" in seen.path else None


async def test_a_forbidden_tag_that_is_not_listed_is_absent(plain: Registry, content: Content) -> None:
    with before(plain, absent_is_forbidden) as proxy:
        async with client(proxy.host) as registry:
            assert await registry.resolve(content.repository, "absent") is None
            assert await registry.resolve("acme/nothing-here", "v1") is None
            assert await registry.resolve(content.repository, "v1") == content.digest
            # Nobody lists digests.
            with pytest.raises(RegistryError, match="403 DENIED"):
                await registry.resolve(content.repository, digest_of(b"nowhere"))


async def test_a_forbidden_tag_that_is_listed_is_forbidden(plain: Registry, content: Content) -> None:
    with before(plain, always(answer(403, "DENIED", "no"), path="/manifests/v1")) as proxy:
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match=r"403 DENIED: no\. The token needs the scope"):
                await registry.resolve(content.repository, "v1")


async def test_a_forbidden_tag_is_never_taken_for_absent_where_no_list_can_be_had(
    plain: Registry, content: Content
) -> None:
    for name in ("v1", "absent"):
        with before(plain, always(answer(403, "DENIED", "no"), "GET")) as proxy:
            proxy.rule = lambda seen: answer(403, "DENIED", "no") if seen.method in {"GET", "HEAD"} else None
            async with client(proxy.host) as registry:
                with pytest.raises(RegistryError, match="nobody knows whether this one exists") as caught:
                    await registry.resolve(content.repository, name)
        assert caught.value.kind is RegistryErrorKind.FORBIDDEN


async def test_a_list_of_tags_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third distribution gives as many as are asked for; the second gives all."""
    monkeypatch.setattr(client_module, "_PAGE", 2)
    tags = {"v1", "v2", "v3", "w1", "w2"}
    with run_registry(tmp_path / "third", program=find_program("registry")) as third:
        content = fill(f"http://{third.host}")
        with before(third, lambda _: None) as proxy:
            async with client(proxy.host) as registry:
                for tag in tags - {"v1"}:
                    await registry.put_manifest(content.repository, tag, content.manifest, OCI_MANIFEST)
                assert await registry.list_tags(content.repository) == tags
                assert await registry.list_tags("acme/nothing-here") == frozenset()
        assert len([seen for seen in proxy.seen if seen.path == f"/v2/{content.repository}/tags/list"]) == 3


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(body=b"<html>"), "no list of tags"),
        (Reply(body=b'{"tags":[1]}'), "no list of tags"),
        (Reply(body=b'{"tags":["a"]}', headers={"Link": '<http://127.0.0.1:9/x>; rel="next"'}), "at another place"),
        (Reply(body=b'{"tags":["a"]}', headers={"Link": '</v2/a/tags/list>; rel="next"'}), "does not end"),
        (Reply(body=b'{"tags":["a","b"]}'), "may be cut"),
    ],
)
async def test_a_list_of_tags_that_is_none(reply: Reply, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_MAX_PAGES", 3)
    monkeypatch.setattr(client_module, "_PAGE", 2)
    with Stub(lambda _: reply) as stub:
        async with client(stub.host) as registry:
            with pytest.raises(RegistryError, match=text):
                await registry.list_tags("acme/a")


async def test_an_empty_list_of_tags_may_be_null() -> None:
    with Stub(lambda _: Reply(body=b'{"name":"acme/a","tags":null}')) as stub:
        async with client(stub.host) as registry:
            assert await registry.list_tags("acme/a") == frozenset()


# Proxies and ECR: answers that lack a header (cloudflare/cloudflared#500, krustlet/krustlet#665)


async def test_no_digest_is_named_anywhere(plain: Registry, content: Content) -> None:
    with before(plain, always(dropping("Docker-Content-Digest"))) as proxy:
        async with client(proxy.host) as registry:
            await exercise(registry, content)
            blob = new_blob()
            await registry.put_blob("acme/up", blob_of(blob), reader(blob))


async def test_a_head_that_names_no_size(plain: Registry, content: Content) -> None:
    def rule(seen: Seen) -> Fault | None:
        return dropping("Content-Length") if seen.method == "HEAD" and "/blobs/" in seen.path else None

    with before(plain, rule) as proxy:
        async with client(proxy.host) as registry:
            assert await registry.blob_size(content.repository, content.layer_digest) == len(content.layer)
            assert await registry.blob_size(content.repository, digest_of(b"nowhere")) is None
    assert [seen.method for seen in proxy.seen] == ["HEAD", "GET", "HEAD"]


async def test_no_size_is_named_at_all(plain: Registry, content: Content) -> None:
    """Then the bytes are counted."""
    with before(plain, always(dropping("Content-Length", "Content-Range"))) as proxy:
        async with client(proxy.host) as registry:
            size = await registry.blob_size(content.repository, content.layer_digest)
    # The registry gave the byte that was asked for, and did not say of how many.
    assert size in {1, len(content.layer)}


async def test_a_blob_that_no_head_may_ask_for(plain: Registry, content: Content) -> None:
    """As on public.ecr.aws (aws/containers-roadmap#2671)."""
    for status in (401, 403, 405):
        with before(plain, always(answer(status, "UNAUTHORIZED", "no"), "HEAD", "/blobs/")) as proxy:
            async with client(proxy.host) as registry:
                assert await registry.blob_size(content.repository, content.layer_digest) == len(content.layer)


async def test_a_manifest_that_no_head_may_ask_for(plain: Registry, content: Content) -> None:
    for status in (400, 403, 405):
        with before(plain, always(Fault(kind=Kind.STATUS, status=status), "HEAD", "/manifests/")) as proxy:
            async with client(proxy.host) as registry:
                assert await registry.resolve(content.repository, "v1") == content.digest
                assert await registry.resolve(content.repository, "absent") is None


# Where an upload goes


async def test_places_without_a_host(tmp_path: Path) -> None:
    """As ghcr.io names them (apple/swift-container-plugin#43)."""
    blob = new_blob()
    with run_registry(tmp_path / "relative", relative=True) as relative:
        async with client(relative.host) as registry:
            await registry.put_blob("acme/up", blob_of(blob), reader(blob))
            assert await registry.blob_size("acme/up", digest_of(blob)) == len(blob)


async def test_a_place_by_its_number_alone() -> None:
    number = {"Docker-Upload-UUID": "0c6-f_1"}
    with Stub(lambda r: Reply(status=202 if r.method == "POST" else 201, headers=number)) as stub:
        async with client(stub.host) as registry:
            await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))
        assert stub.requests[-1].path.startswith("/v2/acme/a/blobs/uploads/0c6-f_1?digest=sha256")
        number["Docker-Upload-UUID"] = "../../b"
        async with client(stub.host) as registry:
            with pytest.raises(RegistryError, match="names no place to upload to"):
                await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))


async def test_no_location_of_what_was_stored(plain: Registry, content: Content) -> None:
    """ECR names none of a manifest (apple/swift-container-plugin#27)."""
    blob = new_blob()
    with before(plain, always(dropping("Location", "Docker-Content-Digest"), "PUT")) as proxy:
        async with client(proxy.host) as registry:
            await registry.put_blob("acme/up", blob_of(blob), reader(blob))
            await registry.put_manifest(content.repository, "v1", content.manifest, OCI_MANIFEST)


@pytest.mark.parametrize("status", [400, 404, 405, 411, 415])
async def test_a_registry_that_takes_no_blob_in_one_piece(plain: Registry, status: int) -> None:
    """It gets it by PATCH and then its digest by PUT, as docker push does."""
    blob, patched = new_blob(), set()

    def rule(seen: Seen) -> Fault | None:
        if seen.method == "PATCH":
            patched.add(seen.path)
        refused = seen.method == "PUT" and seen.path not in patched
        return answer(status, "UNSUPPORTED", "PATCH first") if refused else None

    with before(plain, rule) as proxy:
        async with client(proxy.host) as registry:
            await registry.put_blob("acme/steps", blob_of(blob), reader(blob))
            assert registry.effort.retries == 0
    assert [seen.method for seen in proxy.seen] == ["POST", "PUT", "POST", "PATCH", "PUT"]
    async with client(plain.host) as registry:
        assert await registry.get_blob("acme/steps", digest_of(blob), limit=1_000_000) == blob


async def test_what_stands_in_a_place_is_sent_back_letter_for_letter() -> None:
    """It may be signed."""
    signed = "/up?sig=a%2Fb%3D%3d+~%20(x)&_state=Zm9v%2B"
    with Stub(
        lambda r: Reply(status=202, headers={"Location": signed}) if r.method == "POST" else Reply(status=201)
    ) as stub:
        async with client(stub.host) as registry:
            await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))
    digest = digest_of(b"x").replace(":", "%3A")
    assert stub.requests[-1].path == f"{signed}&digest={digest}"


async def test_another_digest_than_was_sent_is_refused() -> None:
    def reply(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(status=202, headers={"Location": "/up"})
        return Reply(status=201, headers={"Docker-Content-Digest": digest_of(b"y")})

    with Stub(reply) as stub:
        async with client(stub.host) as registry:
            with pytest.raises(RegistryError, match="it says it stored"):
                await registry.put_blob("acme/a", blob_of(b"x"), reader(b"x"))


# Logins


async def test_a_login_that_is_asked_for_without_a_challenge(basic: Registry) -> None:
    """As ECR has done (krustlet/krustlet#665)."""
    content = fill(f"http://{basic.host}", BASIC)
    with before(basic, always(dropping("WWW-Authenticate"))) as proxy:
        async with client(proxy.host, login=True) as registry:
            assert await registry.resolve(content.repository, "v1") == content.digest
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match="Log in"):
                await registry.resolve(content.repository, "v1")


@pytest.mark.parametrize(
    "name", ["robot$ci", "acme+ci", "AWS", "00000000-0000-0000-0000-000000000000", "gitlab+deploy"]
)
async def test_names_of_robots(name: str) -> None:
    robot = type(LOGIN)(username=name, password="planted-robot")

    def reply(request: Request) -> Reply:
        if request.headers.get("authorization") == robot.basic:
            return Reply(headers={"Docker-Content-Digest": digest_of(b"m")})
        return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="harbor"'})

    with Stub(reply) as stub:
        async with client(stub.host, credentials=robot) as registry:
            assert await registry.resolve("acme/a", "v1") == digest_of(b"m")


async def test_a_token_that_does_not_say_how_long_it_lives(guarded: Registry, tokens: TokenServer) -> None:
    """As GitLab's and Azure's; Azure's names it access_token."""
    content = fill_guarded(guarded)
    tokens.field, tokens.says_life = "access_token", False
    nap = Nap()
    async with client(guarded.host, login=True, clock=nap.clock) as registry:
        await registry.resolve(content.repository, "v1")
        asked = len(tokens.tokens)
        nap.gone += 47.0
        await registry.resolve(content.repository, "v1")
        assert len(tokens.tokens) == asked
        nap.gone += 2.0
        await registry.resolve(content.repository, "v1")
        assert len(tokens.tokens) == asked + 1


async def test_a_repository_that_is_not_there_is_told_to_who_may_make_it(
    guarded: Registry, tokens: TokenServer
) -> None:
    """On Quay others are told that they may not read it (helm/helm#32144)."""
    content = fill_guarded(guarded)
    tokens.known = {content.repository}
    blob = new_blob()
    async with client(guarded.host, login=True) as registry:
        assert await registry.resolve(content.repository, "v1") == content.digest
        assert await registry.resolve("acme/first", "latest") is None
        assert await registry.blob_size("acme/first", digest_of(blob)) is None
        await registry.put_blob("acme/first", blob_of(blob), reader(blob))
        assert await registry.blob_size("acme/first", digest_of(blob)) == len(blob)
    tokens.grant = ("pull",)
    async with client(guarded.host, login=True) as registry:
        with pytest.raises(RegistryError, match=r"HEAD acme/second:latest .* 401\. The token needs"):
            await registry.resolve("acme/second", "latest")


async def test_a_token_server_that_refuses_a_repository(guarded: Registry, tokens: TokenServer) -> None:
    """GitLab's answers 403, and says nothing of a password."""
    content = fill_guarded(guarded)
    tokens.broken = Reply(status=403, body=b'{"errors":[{"code":"DENIED","message":"access forbidden"}]}')
    async with client(guarded.host, login=True) as registry:
        with pytest.raises(RegistryError, match=r"asking for a token .* 403 DENIED: access forbidden"):
            await registry.resolve(content.repository, "v1")
        with pytest.raises(RegistryError, match=r"asking for a token .* 403 DENIED: access forbidden"):
            await registry.put_manifest(content.repository, "v1", content.manifest, OCI_MANIFEST)
    assert registry.effort.retries == 0


async def test_each_scope_of_a_challenge_is_asked_for_by_itself() -> None:
    scopes: list[list[str]] = []

    def reply(request: Request) -> Reply:
        if request.path.startswith("/token"):
            scopes.append(request.query["scope"])
            return Reply(body=b'{"token":"t"}')
        if request.headers.get("authorization"):
            return Reply(headers={"Docker-Content-Digest": digest_of(b"m")})
        scope = "repository:acme/a:pull repository:acme/b:pull"
        realm = f"http://{request.headers['host']}/token?account=ada"
        return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="{scope}"'})

    with Stub(reply) as stub:
        async with client(stub.host, login=True) as registry:
            await registry.resolve("acme/a", "v1")
        assert "account=ada" in stub.requests[1].path
    assert scopes == [["repository:acme/a:pull", "repository:acme/b:pull"]]


# Refusals with a remedy of their own; those that only a host's name tells are in tests/unit/registry/test_remedies.py

REFUSALS = {
    "ECR, no repository": (
        answer(404, "NAME_UNKNOWN", "The repository with name 'a' does not exist in the registry with id '1'"),
        "POST",
        "Create the repository first",
    ),
    "Harbor, no project": (answer(404, "NOT_FOUND", "project a not found"), "POST", "Create the repository first"),
    "Harbor, no room": (
        answer(403, "DENIED", "adding 2 MiB, which when updated will exceed the configured upper limit of 1 MiB."),
        "PUT",
        "The quota is used up",
    ),
    "Cloudflare": (Fault(kind=Kind.STATUS, status=413, body=b"<html>"), "PUT", "Cloudflare at 100 MB"),
    "ECR, expired": (answer(403, "DENIED", "Your authorization token has expired."), "POST", "get-login-password"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_upload_says_what_helps(plain: Registry, name: str) -> None:
    fault, method, remedy = REFUSALS[name]
    blob = new_blob()
    with before(plain, always(fault, method)) as proxy:
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match=remedy):
                await registry.put_blob("acme/up", blob_of(blob), reader(blob))
            assert registry.effort.retries == 0


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (answer(400, "TAG_INVALID", "cannot be overwritten because the repository is immutable."), "exempt those"),
        (answer(412, "PRECONDITION", "due to 'a:latest' configured as immutable."), "exempt those"),
        (answer(400, "MANIFEST_INVALID", "'application/vnd.oci.image.layer.v1.tar+zstd' is not one of"), "gzip"),
        (answer(415, "MANIFEST_INVALID", "application/vnd.oci.image.layer.v1.tar+zstd"), "gzip"),
    ],
)
async def test_a_refused_manifest_says_what_helps(plain: Registry, content: Content, fault: Fault, remedy: str) -> None:
    with before(plain, always(fault, "PUT")) as proxy:
        async with client(proxy.host) as registry:
            with pytest.raises(RegistryError, match=remedy):
                await registry.put_manifest(content.repository, "latest", content.manifest, OCI_MANIFEST)
            assert registry.effort.retries == 0
