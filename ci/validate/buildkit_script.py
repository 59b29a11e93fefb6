"""Writes the script that has BuildKit read Dockerfiles without building them."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ci.core.buildkit import FRONTEND, UNFETCHED, is_own_frontend
from ci.core.model import IMAGE_CONTEXT, Image
from ci.core.names import short_reference
from ci.dockerfile import Dockerfile, read_stages

DOCKERFILES, STATE, RESULT = "/dockerfiles", "/state", "/result"
NO_BASES = 3  # the exit code where a base image could not be fetched
_AT_A_TIME = 8  # requests; each waits more than it works
_NOTHING = "local:context"  # an empty folder
# Whatever an image is called, no registry is asked about it.
_POLICY = json.dumps({"rules": [{"action": "DENY", "selector": {"identifier": "docker-image://*"}}]})

# An answer is a line: the request's number, its exit code, and in base64 what was printed on stdout and stderr.
#
# An outline is refused for what a build is refused for, but without the place. A build says it, and is asked only then:
# it gets no further than the outline did, so that nothing is run. What may be otherwise the next time, such as a
# registry that does not answer, ends the script with an error, since of an error the engine keeps no result.
_HEAD = f"""\
set -u
export BUILDKIT_HOST=unix:///run/buildkitd.sock
mkdir -p /empty /answers /unfetched /broken
printf '%s' {shlex.quote(_POLICY)} > /no-images.json
buildkitd --addr "$BUILDKIT_HOST" --root {STATE} --oci-worker-snapshotter native > /daemon.log 2>&1 &
daemon=$!
left=300
until [ -S /run/buildkitd.sock ]; do
    left=$((left - 1))
    if [ $left = 0 ] || ! kill -0 $daemon; then
        tail -n 5 /daemon.log >&2
        exit 1
    fi
    sleep 0.1
done
build() {{
    timeout 90 buildctl --timeout 60 build --progress quiet --frontend dockerfile.v0 --local context=/empty "$@"
}}
ask() {{
    number=$1 request=$2
    shift 2
    out=/answers/$number.out err=/answers/$number.err
    build --opt requestid=frontend.$request "$@" > $out 2> $err
    code=$?
    # A daemon that is short of time loses requests ("no such job"), and does them when it is asked again.
    if [ $code != 0 ] && ! grep -q '^error: failed to solve: ' $err; then
        build --opt requestid=frontend.$request "$@" > $out 2> $err
        code=$?
    fi
    unfetched=$(grep -c '{UNFETCHED}' $err)
    if [ $request-$code-$unfetched = outline-1-0 ]; then
        build "$@" > $out 2> $err
    fi
    {{
        printf '%s %s ' $number $code
        base64 $out | tr -d '\\n'
        printf ' '
        base64 $err | tr -d '\\n'
        echo
    }} > /answers/$number
    if [ $code != 0 ] && ! grep -q '^error: failed to solve: ' $err; then
        cp $err /broken/$number
    elif [ $unfetched != 0 ]; then
        cp /answers/$number /unfetched
    fi
}}
"""
_TAIL = f"""\
kill $daemon
if [ "$(ls /broken)" ]; then
    cat /broken/* | tail -n 5 >&2
    exit 1
fi
if $bases && [ "$(ls /unfetched)" ]; then
    cat /unfetched/* >&2
    exit {NO_BASES}
fi
rm /answers/*.out /answers/*.err
cat /answers/* > {RESULT}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """An image whose Dockerfile is to be read."""

    image: Image
    text: str  # of the Dockerfile
    dockerfile: Dockerfile
    lines: Mapping[str, int]  # of each of the image's keys in the configuration
    linked: bool = False  # whether its path is that of a link

    @property
    def file(self) -> str:
        """The path of the Dockerfile in the source."""
        return self.image.dockerfile

    @property
    def syntax(self) -> str:
        """The frontend that is asked for; "" for BuildKit's own."""
        return self.image.arguments(self.image.platforms[0]).get("BUILDKIT_SYNTAX", self.dockerfile.syntax)

    @property
    def is_own(self) -> bool:
        """Whether BuildKit's own frontend reads it: another one would have to be fetched."""
        return not self.syntax or is_own_frontend(self.syntax)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request: for the warnings about a Dockerfile, or for the outline of what is built of it."""

    subject: Subject
    name: str  # "lint" or "outline"
    platform: str


def list_requests(subjects: Sequence[Subject]) -> tuple[Request, ...]:
    """List what is asked: warnings once for each subject, the outline for each of its platforms."""
    return tuple(
        request
        for subject in subjects
        for request in (
            Request(subject=subject, name="lint", platform=subject.image.platforms[0]),
            *(Request(subject=subject, name="outline", platform=each) for each in subject.image.platforms),
        )
    )


def write_script(subjects: Sequence[Subject], *, bases: bool) -> str:
    """Write the script that sends all requests about some subjects.

    Args:
        subjects: the images, each with its Dockerfile in DOCKERFILES.
        bases: whether registries are asked about base images; without, each is taken for an empty one.

    """
    lines = [f"bases={'true' if bases else 'false'}", "waiting="]
    for number, request in enumerate(list_requests(subjects)):
        words = shlex.join([str(number), request.name, *_words(request, bases=bases)])
        lines.append(f'ask {words} &\nwaiting="$waiting $!"')
        if number % _AT_A_TIME == _AT_A_TIME - 1:
            lines.append("wait $waiting\nwaiting=")
    # Without a word, it would wait for the daemon.
    lines.append('[ -z "$waiting" ] || wait $waiting\n')
    return _HEAD + "\n".join(lines) + _TAIL


def _words(request: Request, *, bases: bool) -> Iterator[str]:
    """List the words behind `buildctl build`, but those that all requests have."""
    image = request.subject.image
    folder, name = posixpath.split(image.dockerfile)
    yield from ("--local", f"dockerfile={posixpath.join(DOCKERFILES, folder)}")
    options = {"filename": name, "platform": request.platform}
    if image.target:
        options["target"] = image.target
    if request.subject.syntax:
        options["cmdline"] = f"{FRONTEND}:1"
    options |= {f"build-arg:{key}": value for key, value in image.arguments(request.platform).items()}
    options |= {f"context:{key}": value for key, value in _contexts(request, bases=bases).items()}
    for key, value in options.items():
        yield from ("--opt", f"{key}={value}")
    if not bases:
        yield from ("--source-policy-file", "/no-images.json")


def _contexts(request: Request, *, bases: bool) -> dict[str, str]:
    """Name what stands in the place of images: an empty folder, but where it is an image that may be asked for."""
    image = request.subject.image
    contexts = {
        name: value if bases and value.startswith(IMAGE_CONTEXT) else _NOTHING for name, value in image.contexts.items()
    }
    if not bases:
        scopes = read_stages(
            request.subject.dockerfile,
            arguments=image.arguments(request.platform),
            platform=request.platform,
            undeclared=None,
            contexts=image.contexts,
        )
        taken = [origin for scope in scopes for origin in scope.origins if origin.image and not origin.context]
        contexts |= {short_reference(origin.image): _NOTHING for origin in taken}
    return contexts
