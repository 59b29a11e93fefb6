"""Says what helps where a registry says no: first by its own words, then by the status and whose registry it is.

What is said of the registries of others is taken from their documentation and from what their users report; none of
them was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ci.registry.refusals import Refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class _Family:
    """A registry whose ways are known."""

    host: re.Pattern[str]
    login: str  # what user name and password are there
    permission: str  # what writing needs
    create: str = ""  # how a repository comes to be, where a push makes none


def _hosts(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_ECR = _hosts(r"public\.ecr\.aws|[0-9]+\.dkr[.-]ecr(-fips)?\..*\.(amazonaws\.com(\.cn)?|on\.aws)")
_FAMILIES = (
    _Family(
        host=_hosts(r"docker\.io"),
        login="On Docker Hub it is the user name and an access token.",
        permission=(
            "On Docker Hub the access token needs Read & Write, and the namespace has to be the account's own or of an "
            "organization that lets it push."
        ),
    ),
    _Family(
        host=_ECR,
        login="On ECR the user name is AWS; the password is what `aws ecr get-login-password` prints, for 12 hours.",
        permission="On ECR the role needs what the policy AmazonEC2ContainerRegistryPowerUser has.",
        create="ECR makes none at a push: `aws ecr create-repository --repository-name NAME`, once for each image.",
    ),
    _Family(
        host=_hosts(r"registry\.gitlab\.com"),
        login="On GitLab it is a deploy token's user name, or CI_REGISTRY_USER with CI_REGISTRY_PASSWORD in a job.",
        permission=(
            "On GitLab the token needs write_registry, and the repository begins with the path of its project, such as "
            "registry.gitlab.com/group/project/NAME."
        ),
    ),
    _Family(
        host=_hosts(r"quay\.io"),
        login="On Quay it is a robot account, such as acme+ci, and its token.",
        permission=(
            "On Quay the robot account needs Write; for a repository that does not exist yet it has to be in a team "
            "with the role Creator, or the repository is made by hand first."
        ),
        create="On Quay it is made at a push only by who may: a robot account in a team with the role Creator.",
    ),
    _Family(
        host=_hosts(r".*\.azurecr\.(io|cn|us)"),
        login=(
            "On Azure it is the id (a GUID) and the secret of a service principal, or "
            "00000000-0000-0000-0000-000000000000 and the token of `az acr login --expose-token`."
        ),
        permission="On Azure the account needs the role AcrPush.",
    ),
    _Family(
        host=_hosts(r".*\.pkg\.dev|(.*\.)?gcr\.io"),
        login="On Google Cloud it is oauth2accesstoken and what `gcloud auth print-access-token` prints.",
        permission="On Google Cloud the account needs the role Artifact Registry Writer.",
        create="On Google Cloud the repository is made first: `gcloud artifacts repositories create`.",
    ),
    _Family(
        host=_hosts(r".*\.jfrog\.io"),
        login="On Artifactory it is the user name and an access token.",
        permission="On Artifactory the account needs Deploy, and Delete/Overwrite for tags that move.",
    ),
)

# Phrases, since a name that a registry repeats holds no space.
_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"token has expired",
            "Fetch a new one: on ECR what `aws ecr get-login-password` prints lasts 12 hours.",
        ),
        (
            r"(is|are|as) immutable|immutable tag|tag immutability",
            "Its tags cannot move: exempt those that a release moves, such as latest, in the registry's settings.",
        ),
        (
            r"exceed the configured upper limit|quota (has been )?exceeded|over (the )?quota",
            "The quota is used up: delete what nobody needs, or raise it.",
        ),
        (r"read[- ]only mode", "The registry can only be read at the moment; ask who runs it."),
        (
            r"layer\.v1\.tar\+zstd",
            "This registry takes no layers in zstd: write `compression: gzip` in the configuration.",
        ),
        (
            r"insufficient scopes",
            "The token may only read, or nothing: on Docker Hub make an access token with Read & Write.",
        ),
        (
            r"must be guid",
            "The user name has to be the id of a service principal, or 00000000-0000-0000-0000-000000000000.",
        ),
        (
            r"HTTP 403 Forbidden",
            "The account may write and not overwrite: on Artifactory give it Delete/Overwrite for the repository.",
        ),
    )
)
_NO_REPOSITORY = frozenset(("NAME_UNKNOWN", "NOT_FOUND"))
_DENIED, _UNKNOWN = frozenset((401, 403)), 404
_TOO_LARGE = (
    "Something before the registry limits how large a request may be: nginx by client_max_body_size, Cloudflare at "
    "100 MB on its smaller plans. Raise that, or push past it."
)
_UNWELL = "Run the same command again when the registry is well."


def remedy_for(refusal: Refusal) -> str:
    """Say what helps against an answer that says no; nothing where nobody can tell."""
    if refusal.limited:
        return f"The registry limits requests: wait{_duration(refusal.pause)}, then run the same command again."
    message = refusal.words.message
    if said := next((remedy for pattern, remedy in _SAYINGS if pattern.search(message)), ""):
        return said
    family = next((one for one in _FAMILIES if one.host.fullmatch(_name(refusal.registry))), None)
    if refusal.status in _DENIED:
        return _denied(refusal, family)
    if refusal.status == _UNKNOWN:
        return _unknown(refusal, family)
    return _TOO_LARGE if refusal.status == 413 else _UNWELL if refusal.status >= 500 else ""  # noqa: PLR2004


def _unknown(refusal: Refusal, family: _Family | None) -> str:
    if refusal.words.code in _NO_REPOSITORY and refusal.what.startswith("PUT "):
        how = family.create if family else "Some registries make none at a push: ECR, and Harbor no project."
        return f"Create the repository first. {how}".strip()
    return "It does not exist, or the token cannot see it; check its name and the token's access."


def _denied(refusal: Refusal, family: _Family | None) -> str:
    scope = refusal.scope
    if refusal.status == 401 and not refusal.insufficient:  # noqa: PLR2004
        if not refusal.logged_in:
            return "Log in: give a user name and a token for this registry."
        known = "Check the user name and the token: wrong, expired, or not for this registry."
        return f"{known} {family.login}" if family else known
    if family and not scope.endswith(":pull"):
        return f"The token needs the scope {scope}. {family.permission}"
    permission = "packages: read" if scope.endswith(":pull") else "packages: write"
    if family:
        return f"The token needs the scope {scope}."
    return f"The token needs the scope {scope}; on GitHub, `{permission}`."


def _name(host: str) -> str:
    return re.sub(r":[0-9]+$", "", host).lower()


def _duration(seconds: float) -> str:
    if seconds < 1:
        return ""
    return f" {seconds:.0f} s" if seconds < 120 else f" {seconds / 60:.0f} min"  # noqa: PLR2004
