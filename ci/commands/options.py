"""The options of the command line that several functions share, as they are described to whoever asks for help."""

from __future__ import annotations

from typing import Annotated

import dagger
from dagger import DefaultPath, Doc, Ignore

# Never part of an image, often huge, and not worth an upload. What .dockerignore excludes on top of this
# reaches the engine and is left out there.
NOT_UPLOADED = ["**/.git", "**/.venv", "**/__pycache__", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache"]

Source = Annotated[dagger.Directory, DefaultPath("/"), Ignore(NOT_UPLOADED), Doc("The repository to build from")]
Repositories = Annotated[
    list[str] | None, Doc("Templates in place of the configuration's, such as ghcr.io/acme/{name}")
]
Logins = Annotated[
    list[dagger.Secret] | None, Doc("Logins at several registries: env:HUB, with HUB set to docker.io=USER:TOKEN")
]
DockerConfig = Annotated[
    dagger.Secret | None, Doc("The logins that docker login has written: file:$HOME/.docker/config.json")
]
Registries = Annotated[
    list[dagger.Service] | None, Doc("The registries as services, for a rehearsal on this host: tcp://127.0.0.1:5000")
]
RegistryCa = Annotated[
    dagger.File | None, Doc("CA certificates (PEM) that registries' own are signed by, besides the usual ones: ca.pem")
]
Builders = Annotated[
    list[str] | None,
    Doc(
        "BuildKit daemons on other machines that build: tcp://HOST:PORT, with =linux/arm64 where it is native for that"
    ),
]
BuilderTunnels = Annotated[
    list[dagger.Service] | None,
    Doc("Builders that only this host reaches, by the port of theirs: tcp://127.0.0.1:1234"),
]
BuilderCa = Annotated[
    dagger.Secret | None, Doc("CA certificates (PEM) that the builders' own are signed by: file:ca.pem")
]
BuilderCert = Annotated[dagger.Secret | None, Doc("The client's certificate (PEM) for the builders: file:cert.pem")]
BuilderKey = Annotated[dagger.Secret | None, Doc("The key (PEM) of that certificate: file:key.pem or env:BUILDER_KEY")]
Cache = Annotated[
    str | None, Doc("The layer cache: off, read, write, or a repository such as ghcr.io/acme/{name}-cache")
]
Only = Annotated[list[str] | None, Doc("Only these images, such as api,worker")]
Platforms = Annotated[list[str] | None, Doc("Only these platforms, such as linux/amd64")]
Parallel = Annotated[int, Doc("How many variants at a time (0: one for each processor, if there is memory)")]
Secrets = Annotated[
    list[dagger.Secret] | None,
    Doc("Build secrets, each named in the configuration as its variable or file is: env:PIP_TOKEN"),
]
Format = Annotated[str, Doc("How to print the report: table, markdown or json")]
Revision = Annotated[str | None, Doc("The commit the source is at: 7 to 64 hexadecimal digits")]
Released = Annotated[str, Doc("The commit to release or to look for: 7 to 64 hexadecimal digits")]
Created = Annotated[str, Doc("When the commit was made, as git log -1 --format=%cI prints it")]
Version = Annotated[str | None, Doc("The version of the software, such as 1.2.3, for labels and {version}")]
Ref = Annotated[str | None, Doc("The branch or tag, such as refs/tags/v1.2.3, for {ref} and {tag}")]
Latest = Annotated[bool, Doc("Move latest too: only for a commit of the default branch")]
Overwrite = Annotated[bool, Doc("Replace a sha- tag that exists with another digest")]
AllowOlder = Annotated[bool, Doc("Move tags even to a commit older than the live one")]
Resmoke = Annotated[bool, Doc("Run the smoke checks again on what the registry serves")]
Reuse = Annotated[bool, Doc("Do not build what an earlier release in the registry was made of the same inputs")]
Rebuild = Annotated[bool, Doc("Build everything, also what an earlier release was made of the same inputs")]
BuilderId = Annotated[
    str,
    Doc(
        "The address of what runs this build, for the provenance: https://github.com/acme/app/actions/runs/1/attempts/1"
    ),
]
DefaultBranch = Annotated[str, Doc("The repository's default branch, such as main")]
WithLatest = Annotated[bool, Doc("latest has to name this commit too")]
From = Annotated[
    str, dagger.Name("from"), Doc("The tag whose images are promoted, such as sha-1234567, or a digest of its release")
]
_STAGED = Doc("What stage has exported, of every machine; or a folder of such folders: staged")
Staged = Annotated[list[dagger.Directory], _STAGED]
MaybeStaged = Annotated[list[dagger.Directory] | None, _STAGED]
Prepare = Annotated[bool, Doc("Push the index of each image by its digest, to be attested, and write no tag")]
Module = Annotated[
    str, Doc("The address of this module, which the workflow and the hook will call: one with a version is safest")
]
