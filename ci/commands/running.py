"""The function that a workflow calls."""

from __future__ import annotations

from typing import Annotated

import dagger
from dagger import Doc

from ci.commands import options
from ci.commands.common import Common, uncached
from ci.core.engine import readable
from ci.core.text import split_values
from ci.github import Attestations, Phase, Run, run_event


class Running(Common):
    """Functions for a run on GitHub."""

    @uncached
    async def github(
        self,
        event: Annotated[str, Doc("The event's name: $GITHUB_EVENT_NAME")],
        ref: Annotated[str, Doc("The branch or tag: $GITHUB_REF")],
        default_branch: options.DefaultBranch,
        revision: options.Released,
        created: options.Created,
        base_ref: Annotated[str, Doc("What a pull request, or a pushed tag, is based on, such as main")] = "",
        prerelease: Annotated[str, Doc("true, where the event is a release that is marked as a pre-release")] = "",
        rebuild: options.Rebuild = False,
        parallel: options.Parallel = 0,
        secrets: options.Secrets = None,
        builder_id: options.BuilderId = "",
        stage: Annotated[bool, Doc("Do the first half alone: build, check and push by digest, under no tag")] = False,
        platforms: options.Platforms = None,
        staged: options.MaybeStaged = None,
        prepare: options.Prepare = False,
        private: Annotated[str, Doc("true, where the repository is private: attest: is optional unless given")] = "",
        github_repository: Annotated[str, Doc("Whose workflow attests: $GITHUB_REPOSITORY")] = "",
        github_server: Annotated[str, Doc("GitHub's address: $GITHUB_SERVER_URL")] = "https://github.com",
        github_api: Annotated[str, Doc("Where attestations are read: $GITHUB_API_URL")] = "https://api.github.com",
        github_token: Annotated[dagger.Secret | None, Doc("A token that reads attestations: env:GITHUB_TOKEN")] = None,
    ) -> dagger.Directory:
        """Check or release, as an event on GitHub asks for; return summary, report, checksums and exit code as files.

        The call succeeds where the pipeline fails, so that its files can be exported: exit-code says which it was.
        """
        with readable():
            run = Run(
                name=event,
                ref=ref,
                default_branch=default_branch,
                base_ref=base_ref,
                prerelease=prerelease,
                revision=revision,
                created=created,
                rebuild=rebuild,
            )
            phase = Phase(
                stage=stage,
                platforms=split_values(platforms or ()),
                staged=tuple(staged or ()),
                prepare=prepare,
                attestations=Attestations(
                    repository=github_repository,
                    private=private == "true",
                    server=github_server,
                    api=github_api,
                    token=github_token,
                ),
            )
            builder = self._builder(secrets, parallel, builder_id)
            return await run_event(run, builder, self._destination, self._plan_of, phase)
