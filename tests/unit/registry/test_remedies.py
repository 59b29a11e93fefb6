"""What is said to help, by what the registries of the world answer.

The answers are as the documentation of each, or its users' reports, have them; none was asked here.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.core.names import COMPONENT
from ci.registry.errors import RegistryError, RegistryErrorKind, error_of
from ci.registry.refusals import Refusal

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def errors(code: str, message: str, detail: object = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


def refused(
    status: int,
    body: bytes = b"",
    *,
    registry: str = "registry.test",
    what: str = "PUT acme/a:v1",
    pull: bool = False,
    **more: object,
) -> RegistryError:
    known = {
        "what": what,
        "where": registry,
        "registry": registry,
        "status": status,
        "body": body,
        "scope": "repository:acme/a:pull" if pull else "repository:acme/a:pull,push",
        "logged_in": True,
    }
    return error_of(Refusal(**{**known, **more}), redact=str)  # type: ignore[arg-type]


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
LIMITS = {
    # markrussinovich/refchecker#67, kubeswift-io/kubeswift#452, virtualcell/vcell#1888
    "ghcr.io, its error": (403, errors("DENIED", SECONDARY), 60.0),
    "ghcr.io, GitHub's own message": (403, json.dumps({"message": SECONDARY}).encode(), 60.0),
    "ghcr.io, from within": (
        403,
        errors(
            "DENIED", f'permission_denied: Error from intermediary with HTTP status code 403 "Forbidden": {SECONDARY}'
        ),
        60.0,
    ),
    # chainguard-images/images#173
    "ghcr.io, requests by the minute": (
        429,
        errors("TOOMANYREQUESTS", "retry-after: 10.305464ms, allowed: 2000/minute"),
        0.0,
    ),
    # docker/hub-feedback#1907 and #2429
    "Docker Hub, too many requests": (429, b"Too Many Requests (HAP429).\n", 0.0),
    "Docker Hub, too many pulls": (429, errors("TOOMANYREQUESTS", "You have reached your pull rate limit."), 0.0),
    "ECR": (403, errors("TOOMANYREQUESTS", "Rate exceeded"), 60.0),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_waited_for_and_is_no_missing_permission(name: str) -> None:
    status, body, wait = LIMITS[name]
    error = refused(status, body, registry="ghcr.io")
    assert error.kind is RegistryErrorKind.RATE_LIMITED
    assert error.wait == wait
    assert "packages: write" not in str(error)
    assert "then run the same command again" in error.remedy


def test_a_limit_lasts_as_long_as_is_said() -> None:
    body = errors("DENIED", SECONDARY)
    assert refused(403, body, retry_after=2.0).wait == 2.0
    assert "wait 90 s, then" in refused(403, body, retry_after=90.0).remedy
    assert "wait 360 min, then" in refused(429, b"", retry_after=21600.0).remedy
    assert refused(403, b"", exhausted=True).kind is RegistryErrorKind.RATE_LIMITED
    assert refused(401, body).kind is RegistryErrorKind.UNAUTHORIZED


@given(st.from_regex(COMPONENT, fullmatch=True), st.sampled_from((400, 401, 403, 404, 405, 409, 412)))
@pytest.mark.parametrize("word", ["404", "429-too-many-requests", "rate-limit", "immutable", "quota-exceeded"])
def test_a_name_decides_nothing(word: str, name: str, status: int) -> None:
    """Not even one that holds a number of a status, or the words of a refusal."""
    told, plain = (
        refused(status, errors("DENIED", f"requested access to '{text}' is denied"), what=f"PUT {text}:v1")
        for text in (f"acme/{word}/{name}", "acme/a")
    )
    assert (told.kind, told.wait, told.remedy) == (plain.kind, plain.wait, plain.remedy)


REFUSALS = {
    # buildkit#3776, aws/containers-roadmap#878
    "ECR, a tag that cannot move": (
        refused(
            400,
            errors(
                "TAG_INVALID",
                "The image tag 'latest' already exists in the 'acme/a' repository and cannot be overwritten because "
                "the repository is immutable.",
            ),
            registry=ECR,
        ),
        "exempt those that a release moves",
    ),
    # goharbor/harbor, src/pkg/immutable
    "Harbor, a tag that cannot move": (
        refused(412, errors("PRECONDITION", "Failed to process request due to 'a:latest' configured as immutable.")),
        "exempt those that a release moves",
    ),
    # goharbor/harbor#8802
    "Harbor, no room": (
        refused(
            403,
            errors(
                "DENIED",
                "adding 20.3 MiB of storage resource, which when updated to current usage of 300.0 GiB will exceed the "
                "configured upper limit of 300.0 GiB.",
            ),
        ),
        "The quota is used up",
    ),
    # ovh/public-cloud-roadmap#242
    "Harbor, maintenance": (
        refused(403, errors("DENIED", "The system is in read only mode. Any modification is prohibited.")),
        "can only be read at the moment",
    ),
    "Harbor, no project": (
        refused(404, errors("NOT_FOUND", "project acme not found")),
        "Create the repository first. Some registries make none at a push: ECR, and Harbor no project.",
    ),
    # aws-actions/amazon-ecr-login#202
    "ECR, no repository": (
        refused(
            404,
            errors("NAME_UNKNOWN", "The repository with name 'acme/a' does not exist in the registry with id '1'"),
            registry=ECR,
            what="PUT blob acme/a@sha256:1",
        ),
        "aws ecr create-repository --repository-name NAME",
    ),
    # flipt-io/flipt#3043
    "ECR, after twelve hours": (
        refused(
            403, errors("DENIED", "Your authorization token has expired. Reauthenticate and try again."), registry=ECR
        ),
        "aws ecr get-login-password",
    ),
    "ECR, a role that may not": (refused(403, errors("DENIED", "not authorized"), registry=ECR), "PowerUser"),
    "ECR, no such user": (refused(401, registry=ECR), "the user name is AWS"),
    # quay/quay#801
    "Quay, zstd": (
        refused(
            400,
            errors(
                "MANIFEST_INVALID",
                "manifest invalid",
                {"message": "'application/vnd.oci.image.layer.v1.tar+zstd' is not one of [...]"},
            ),
            registry="quay.io",
        ),
        "compression: gzip",
    ),
    # jaegertracing/jaeger#2498
    "Quay, a robot that makes no repository": (
        refused(
            401,
            errors("UNAUTHORIZED", "access to the requested resource is not authorized"),
            registry="quay.io",
            insufficient=True,
        ),
        "role Creator",
    ),
    "Quay, who": (refused(401, errors("UNAUTHORIZED", "Could not find robot"), registry="quay.io"), "a robot account"),
    "GitLab, a token that may not": (
        refused(403, errors("DENIED", "requested access to the resource is denied"), registry="registry.gitlab.com"),
        "write_registry",
    ),
    # spinalcordtoolbox/spinalcordtoolbox#5286
    "Docker Hub, a token that only reads": (
        refused(401, b'{"details":"access token has insufficient scopes"}', registry="docker.io"),
        "make an access token with Read & Write",
    ),
    "Docker Hub, somebody else's": (
        refused(401, registry="docker.io", insufficient=True),
        "has to be the account's own",
    ),
    # microsoft/vscode-docker#3780
    "Azure, a user name that is none": (
        refused(
            401,
            errors("UNAUTHORIZED", "aad access token with sp failed client id must be guid"),
            registry="acme.azurecr.io",
        ),
        "id of a service principal",
    ),
    "Azure, a role that is missing": (refused(403, b"", registry="acme.azurecr.io"), "AcrPush"),
    # GoogleContainerTools/kaniko#1095
    "Artifactory, a tag that may not be overwritten": (
        refused(403, errors("MANIFEST_INVALID", "manifest invalid", {"description": "HTTP 403 Forbidden"})),
        "Delete/Overwrite",
    ),
    "Artifactory, a permission": (refused(403, b"", registry="acme.jfrog.io"), "Delete/Overwrite"),
    "Google, no repository": (
        refused(404, errors("NAME_UNKNOWN", "Repository not found"), registry="europe-west1-docker.pkg.dev"),
        "gcloud artifacts repositories create",
    ),
    "nginx": (refused(413, b"<html>"), "client_max_body_size"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_registry_gets_its_own_remedy(name: str) -> None:
    error, remedy = REFUSALS[name]
    assert remedy in error.remedy
    assert error.wait is None
    if not name.startswith("Harbor, no room"):
        assert "on GitHub" not in error.remedy


def test_github_is_named_where_nobody_knows_whose_registry_it_is() -> None:
    assert "on GitHub, `packages: write`" in refused(403, registry="127.0.0.1:5000").remedy
    assert "on GitHub, `packages: write`" in refused(403, registry="ghcr.io").remedy
    assert "on GitHub, `packages: read`" in refused(403, registry="ghcr.io", pull=True).remedy
    assert refused(403, registry=ECR, pull=True).remedy == "The token needs the scope repository:acme/a:pull."
    # A host that only ends like one of theirs is somebody else's.
    assert "on GitHub" in refused(403, registry="notquay.io").remedy
    assert "on GitHub" in refused(403, registry="quay.io.example.com").remedy
