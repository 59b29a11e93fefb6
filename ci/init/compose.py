"""Reads compose files: which services build an image of the source, and what stands beside it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping

from ci.init.documents import Lines, mapping, read_document, text_of, texts
from ci.init.holes import HOLE
from ci.init.released import Built
from ci.init.supply import read_supply
from ci.init.tagging import is_plain, read_name
from ci.init.values import list_arguments, list_platforms

_FILE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")
_ASIDE = re.compile(
    r"(?i)(?:^|[._/-])(?:dev|devel|development|test|tests|debug|override|playwright|e2e|cypress|example|examples)(?:[._/-]|$)"
)
_DEEPEST = 3  # folders
_BESIDE = re.compile(
    r"(?i)(?:^|/)[\w.-]*(?:postgres|mysql|mariadb|redis|valkey|mongo|clickhouse|rabbitmq|memcached|mssql)[\w.-]*(?::|@|$)"
)


def is_compose(path: str) -> bool:
    """Tell whether a file is a compose file of what is released."""
    return bool(_FILE.fullmatch(path.rpartition("/")[2])) and path.count("/") <= _DEEPEST and "node_modules" not in path


def read_compose(files: Mapping[str, str], dockerfiles: Collection[str]) -> list[Built]:
    """List the images that services build of the source."""
    built: list[Built] = []
    for file, name, service in _services(files):
        if _ASIDE.search(file):
            continue
        given = service.get("build")
        build = (
            given if isinstance(given, Lines) else Lines({"context": given} if isinstance(given, str) and given else {})
        )
        here = posixpath.dirname(file)
        context = posixpath.normpath(posixpath.join(here, text_of(build, "context") or "."))
        path = posixpath.normpath(posixpath.join(context, text_of(build, "dockerfile") or "Dockerfile"))
        if not build or "$" in context or path not in dockerfiles:
            continue
        place = f"{file}:{service.line - 1}"
        arguments = build.get("args", "")
        lines = [f"{k}={v}" for k, v in arguments.items() if v] if isinstance(arguments, Lines) else texts(arguments)
        taken = list_arguments("\n".join(line for line in lines if "$" not in line), place, ())
        platforms, strange = list_platforms(",".join(texts(build.get("platforms"))), place)
        image = read_name(re.sub(r"\$\{[^}]*\}|\$\w+", "", text_of(service, "image"))).repository
        # Without a registry it is the name on one machine: no release goes there.
        real = text_of(service, "image").partition("/")[0].count(".") and is_plain(image) and not HOLE.search(image)
        built.append(
            Built(
                place=place,
                dockerfile=path,
                context=context,
                target=text_of(build, "target") or None,
                platforms=platforms,
                build_args=taken.values,
                repositories=(image,) if real else (),
                name="" if real else name,
                open_args=taken.open,
                supply=read_supply((), text_of(build, "provenance"), text_of(build, "sbom"), place),
                lost=(*strange, *taken.lost),
            )
        )
    return built


def beside(files: Mapping[str, str]) -> tuple[str, ...]:
    """List the databases and queues that stand in compose files, each as its file names it."""
    found = (
        f"{text_of(service, 'image')} in {file}"
        for file, _, service in _services(files)
        if _BESIDE.search(text_of(service, "image"))
    )
    return tuple(dict.fromkeys(found))


def _services(files: Mapping[str, str]) -> Iterator[tuple[str, str, Lines]]:
    for file, text in files.items():
        for name, service in mapping(read_document(text, file).get("services")).items():
            if isinstance(service, Lines):
                yield file, name, service
