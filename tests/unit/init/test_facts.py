"""What a Dockerfile tells of its image, in the shapes that people write."""

from textwrap import dedent

import pytest

from ci.dockerfile.parser import parse_dockerfile
from ci.init.facts import BUILDERS, Facts, read_facts


def facts(text: str) -> Facts:
    dockerfile = parse_dockerfile(dedent(text))
    assert not dockerfile.faults
    return read_facts(dockerfile)


def test_the_last_stage_counts_and_inherits_from_the_stages_it_is_made_of() -> None:
    found = facts("""\
        ARG PYTHON=3.13
        FROM python:${PYTHON}-slim AS base
        ENV PORT=8000 APP_USER=app
        USER $APP_USER
        EXPOSE ${PORT}
        FROM node:22 AS assets
        COPY web/ /web/
        FROM golang:1.26 AS unused
        COPY nothing /
        FROM base
        COPY --from=assets /web /web
        COPY pyproject.toml src /app/
        ENTRYPOINT ["tini", "--"]
    """)
    assert found.base == "python:3.13-slim"
    assert found.bases == ("python:3.13-slim", "node:22")
    assert (found.user, found.entrypoint, found.ports) == ("app", ("tini", "--"), ("8000/tcp",))
    assert found.sources == ("web/", "pyproject.toml", "src")
    assert found.ends == ("unused",)


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ("EXPOSE 80", ("80/tcp",)),
        ("EXPOSE 80 443/TCP 53/udp", ("80/tcp", "443/tcp", "53/udp")),
        ("EXPOSE 80\nEXPOSE 80", ("80/tcp",)),
        ("EXPOSE 8000-8002", ("8000/tcp", "8001/tcp", "8002/tcp")),
        ("EXPOSE 1-60000", None),
        ('EXPOSE "80"', ("80/tcp",)),
        ("ARG P=81\nEXPOSE $P", ("81/tcp",)),
        ("ARG P\nEXPOSE $P", None),
        ("EXPOSE $PORT", None),
        ("EXPOSE ${PORT:-80}", None),
        ("ENV PORT 82\nEXPOSE ${PORT:-80}", ("82/tcp",)),
        ("EXPOSE 0", None),
        ("EXPOSE 70000", None),
        ("", ()),
    ],
)
def test_ports(lines: str, ports: tuple[str, ...] | None) -> None:
    assert facts(f"FROM alpine\n{lines}\n").ports == ports


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ("USER app", "app"),
        ("USER 1000:1000", "1000:1000"),
        ('USER "app"', "app"),
        ("USER root\nUSER app", "app"),
        ("ARG UID=1000\nUSER $UID", "1000"),
        ("ARG UID\nUSER ${UID}", None),
        ("USER $HOME_USER", None),
        ("ENV U=a\nARG U=b\nUSER $U", "a"),
        ("", None),
    ],
)
def test_the_user(lines: str, user: str | None) -> None:
    assert facts(f"FROM alpine\n{lines}\n").user == user


@pytest.mark.parametrize(
    ("line", "entrypoint"),
    [
        ('ENTRYPOINT ["/app", "--x"]', ("/app", "--x")),
        ('ENTRYPOINT [ "/app" ]', ("/app",)),
        ('ENTRYPOINT ["$APP"]', ("$APP",)),
        ("ENTRYPOINT /app --x", None),
        ("ENTRYPOINT ['/app']", None),
        ("ENTRYPOINT []", None),
        ('ENTRYPOINT ["/a"]\nENTRYPOINT ["/b"]', ("/b",)),
    ],
)
def test_the_entrypoint_is_told_by_the_exec_form_alone(line: str, entrypoint: tuple[str, ...] | None) -> None:
    assert facts(f"FROM alpine\n{line}\n").entrypoint == entrypoint


@pytest.mark.parametrize(
    ("lines", "health"),
    [
        ("HEALTHCHECK CMD curl -f http://localhost:8000/health", (8000, "/health")),
        ("HEALTHCHECK CMD curl -f http://localhost:8000/health || exit 1", (8000, "/health")),
        ("HEALTHCHECK --interval=5s --timeout=3s CMD wget -qO- http://127.0.0.1:8000", (8000, "/")),
        ('HEALTHCHECK CMD ["wget", "--spider", "http://localhost:8000/a?b=c"]', (8000, "/a?b=c")),
        ('HEALTHCHECK CMD ["sh", "-c", "curl http://0.0.0.0:${PORT:-8000}/up"]', (8000, "/up")),
        (
            "HEALTHCHECK CMD python -c \"import urllib.request as r; r.urlopen('http://localhost:8000/x')\"",
            (8000, "/x"),
        ),
        ("ENV PORT=8000\nHEALTHCHECK CMD curl http://[::1]:$PORT/x", (8000, "/x")),
        ("HEALTHCHECK CMD node -e \"fetch('http://localhost:' + p)\"", None),
        ("HEALTHCHECK CMD curl http://localhost:$OTHER/x", (8000, "/x")),
        ("HEALTHCHECK CMD curl http://localhost:9000/x", None),
        ("HEALTHCHECK CMD curl http://localhost/x", None),
        ("HEALTHCHECK CMD curl https://localhost:8000/x", None),
        ("HEALTHCHECK CMD curl http://example.com:8000/x", None),
        ("HEALTHCHECK CMD pg_isready", None),
        ("HEALTHCHECK CMD curl http://localhost:8000/x\nHEALTHCHECK NONE", None),
        ("HEALTHCHECK \\\n  # a comment\n  --retries=3 \\\n\n  CMD curl http://localhost:8000/x", (8000, "/x")),
    ],
)
def test_the_request_of_a_health_check(lines: str, health: tuple[int, str] | None) -> None:
    assert facts(f"FROM alpine\nEXPOSE 8000\n{lines}\n").health == health


def test_a_stage_that_a_platform_chooses_is_no_end() -> None:
    text = "FROM a AS build_amd64\nFROM b AS build_arm64\nFROM c AS other\nFROM build_$TARGETARCH\n"
    assert facts(text).ends == ("other",)


def test_without_an_exposed_port_the_port_of_the_request_counts() -> None:
    text = "FROM nginx\nHEALTHCHECK CMD curl http://localhost"
    assert facts(text).health == (80, "/")
    assert facts(f"{text}:8080/x").health == (8080, "/x")
    assert facts(f"{text}:$P/x").health is None


@pytest.mark.parametrize(
    ("text", "bases", "unfilled"),
    [
        ("FROM alpine:3", ("alpine:3",), ()),
        ("FROM scratch", (), ()),
        ("ARG V\nFROM alpine:$V", (), ("V",)),
        ("ARG V=3\nFROM alpine:$V", ("alpine:3",), ()),
        ("ARG V=3\nARG B=alpine:$V\nFROM $B", ("alpine:3",), ()),
        ("FROM alpine:${V:-3}", ("alpine:3",), ()),
        ("FROM alpine-$TARGETARCH", (), ()),
        ("FROM ${BASE:-alpine}", ("alpine",), ()),
        ("ARG BASE\nFROM ${BASE:-alpine}", (), ()),  # the default may be meant, or what somebody gives
        ("ARG N=${TARGETPLATFORM//\\//-}\nFROM alpine:$N", (), ()),
        ("ARG V\nARG B=alpine:$V\nFROM $B", (), ("V",)),
        ("ARG A=$B\nARG B=$A\nFROM $A", (), ()),  # nonsense, and no reason to go on for ever
        ("FROM a AS a\nFROM a", ("a",), ()),
        ("FROM a AS x\nFROM b\nCOPY --from=0 /a /a", ("a", "b"), ()),
        ("FROM a AS x\nFROM b\nRUN --mount=type=bind,from=x,target=/x true", ("a", "b"), ()),
        ("FROM a AS x\nFROM b\nCOPY --from=other:1 /a /a", ("b",), ()),
    ],
)
def test_bases(text: str, bases: tuple[str, ...], unfilled: tuple[str, ...]) -> None:
    found = facts(text + "\n")
    assert (found.bases, found.unfilled) == (bases, unfilled)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("FROM --platform=linux/amd64 a", "linux/amd64"),
        ("FROM --platform=linux/amd64 a AS b\nFROM c\nCOPY --from=b / /", ""),
        ("FROM --platform=linux/amd64 a AS b\nFROM b", "linux/amd64"),
        ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM a", BUILDERS),
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=$BUILDPLATFORM scratch", ""),
        ("FROM --platform=$BUILDPLATFORM a AS b\nFROM c\nCOPY --from=b / /", ""),
        ("ARG P=linux/arm64\nFROM --platform=${P} a", "linux/arm64"),
        ("FROM --platform=linux/amd64 a AS unused\nFROM b", ""),
    ],
)
def test_the_platform_is_that_of_the_last_stage(text: str, platform: str) -> None:
    assert facts(text + "\n").platform == platform


def test_facts_are_those_of_a_target() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS build\nUSER builder\nFROM b\nUSER other\n"
    dockerfile = parse_dockerfile(text)
    assert read_facts(dockerfile, "Build").user == "builder"
    assert read_facts(dockerfile, "Build").platform == BUILDERS
    assert read_facts(dockerfile).user == read_facts(dockerfile, "none").user == "other"


def test_what_a_build_takes() -> None:
    found = facts("""\
        FROM alpine
        COPY --chown=a:a a.txt b* /x/
        COPY ["with space", "/x/"]
        COPY --from=other / /
        ADD https://example.com/x.tgz /x
        ADD git@example.com:a/b.git /y
        COPY $DYNAMIC /x
        COPY <<EOF /etc/x
        data
        EOF
        RUN --mount=type=bind,source=c,target=/c \\
            --mount=type=secret,id=TOKEN --mount=type=secret,target=/run/other \\
            --mount=type=ssh true
    """)
    assert found.sources == ("a.txt", "b*", "with space", "c")
    assert found.secrets == ("TOKEN", "other")
    assert found.ssh == ("default",)
    assert [command.partition(" ")[0] for command in found.commands] == ["https://example.com/x.tgz", "true"]


@pytest.mark.parametrize(
    ("lines", "unset"),
    [
        ("ARG VERSION\nRUN curl https://example.com/$VERSION", ("VERSION",)),
        ("ARG VERSION=1\nRUN curl https://example.com/$VERSION", ()),
        ("ARG VERSION\nRUN curl https://example.com/${VERSION:-1}", ()),
        ("ARG VERSION\nLABEL version=$VERSION", ()),
        ("ARG TARGETARCH\nRUN echo $TARGETARCH", ()),
        ("ARG OUTER\nRUN echo $OUTER", ()),
        ("RUN echo $HOME", ()),
    ],
)
def test_arguments_without_a_value(lines: str, unset: tuple[str, ...]) -> None:
    assert facts(f"ARG OUTER=1\nFROM alpine\n{lines}\n").unset == unset


def test_of_scratch_all_is_known() -> None:
    assert facts("FROM scratch\nUSER $NOBODY\nEXPOSE $PORT\n").user == ""
    assert facts("FROM busybox\nUSER $NOBODY\n").user is None
