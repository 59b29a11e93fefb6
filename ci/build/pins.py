"""What a build has to take from registries, and whether it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ci.core.errors import DrydockError
from ci.core.names import short_reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Pins:
    """What a build for one platform has to take from registries."""

    digests: Mapping[str, str]  # of each whole reference, such as "docker.io/library/python:3.13-slim"
    whole: bool  # whether there is no other; of what a foreign frontend takes, nobody knows
    still: bool  # whether nothing but what RUN fetches can be another when the same is built again

    def check(
        self, sources: Iterable[tuple[str, str]], *, beside: str = "", then: str = "run the same command again"
    ) -> None:
        """Hold what a build says it took against what it was to take.

        Args:
            sources: each image's reference, without what stands for itself, and its digest.
            beside: reference of an image that no line of the Dockerfile names: what lists the packages.
            then: what to do where an image has moved.

        Raises:
            DrydockError: one is another.

        """
        wanted = {short_reference(reference): digest for reference, digest in self.digests.items()}
        known = set(self.digests.values())
        other = short_reference(beside.partition("@")[0])
        for reference, digest in sources:
            if reference == other and reference not in wanted:
                continue
            # A step that was cached tells of the image by the name that it had when the step was run.
            if digest in known:
                continue
            if reference in wanted:
                raise DrydockError(
                    f"the build took {reference} with the digest {digest}, and {wanted[reference]} was resolved before "
                    f"it began; {then}"
                )
            if self.whole:
                raise DrydockError(
                    f"the build took {reference} with the digest {digest}, and nobody knew of it before it began. No "
                    "line of the Dockerfile names it; an ONBUILD of a base image may. To have it pinned, give it to "
                    f"the image as a named context: contexts: {{{reference}: docker-image://{reference}}}"
                )
