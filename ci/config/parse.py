"""Turns the text of a configuration file into its value, or into a list of all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ci.config.acceptance import KEYS, read_acceptances, read_baseline
from ci.config.contexts import context_folders
from ci.config.cursor import Cursor, take
from ci.config.image import read_images
from ci.config.matrix import list_entries, unite_findings
from ci.config.paths import PathKind, Source, read_path
from ci.config.periods import read_period
from ci.config.repository import REPOSITORY_HELP, read_cache, read_repositories
from ci.config.runners import read_attest, read_runners
from ci.config.sharing import affix, check_sharing
from ci.config.smoke import STRUCTURE
from ci.config.supply import (
    check_required,
    list_files,
    read_provenance,
    read_require,
    read_sbom,
    read_scans,
    read_trusted_root,
)
from ci.config.tags import read_flavor, read_tags
from ci.config.yaml import read_tree
from ci.core.errors import ConfigError
from ci.core.model import REBUILD_AFTER, Cache, Compression, Config, Runners
from ci.core.names import short_reference
from ci.core.supply import GENERATOR, ProvenanceMode, Require

TOP_REQUIRED = {"repository": REPOSITORY_HELP, "images": "a list of images"}
TOP_OPTIONAL = (
    *("source", "compression", "cache", "rebuild-after", "tags", "flavor"),
    *("provenance", "sbom", "require", "trusted-root", "scan", "validate", "runners", "attest"),
)
URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")


def parse_config(
    text: str, *, file: str, kinds: Mapping[str, PathKind] | None = None, texts: Mapping[str, str] | None = None
) -> Config:
    """Read a configuration strictly.

    Args:
        text: the whole file.
        file: its name, for the messages.
        kinds: what each path of `referenced_paths` is in the source; None: nobody looked.
        texts: of the files of `referenced_texts` that are there; None: nobody looked.

    Raises:
        ConfigError: holds every mistake, in the order of the lines, with those of other files at the end.

    """
    root = read_tree(text, file=file)
    fields = root.record(TOP_REQUIRED, TOP_OPTIONAL)
    sbom = take(fields, "sbom", read_sbom, GENERATOR)
    source = Source(kinds=kinds, texts=texts)
    images = take(fields, "images", lambda c: read_images(c, source, sbom=sbom), ())
    judged = take(fields, "validate", lambda c: c.record({}, KEYS), {})
    shared = [image.name for image in images if not image.repositories]
    config = Config(
        repositories=take(fields, "repository", lambda c: read_repositories(c, shared), ()),
        images=images,
        source=take(fields, "source", lambda c: c.matching(URL, "an http or https URL"), None),
        compression=take(fields, "compression", _compression, Compression.GZIP),
        cache=take(fields, "cache", lambda c: read_cache(c, [image.name for image in images]), Cache()),
        accepted=read_acceptances(judged),
        baseline=read_baseline(judged),
        rebuild_after=take(fields, "rebuild-after", read_period, REBUILD_AFTER),
        tags=take(fields, "tags", read_tags, None),
        flavor=take(fields, "flavor", read_flavor, ()),
        runners=take(fields, "runners", read_runners, Runners()),
        attest=take(fields, "attest", read_attest, None),
        provenance=take(fields, "provenance", read_provenance, ProvenanceMode.MAX),
        require=take(fields, "require", lambda c: read_require(c, source), Require()),
        trusted_root=take(fields, "trusted-root", lambda c: read_trusted_root(c, source), ""),
        scans=take(fields, "scan", read_scans, ()),
    )
    check_required(config, fields)
    config = affix(config)
    if not root.findings:
        entries = list_entries(fields["images"].quiet())
        check_sharing(config, entries)
        root.findings.extend(unite_findings(entries))
    if root.findings:
        # Two images may name one file of checks, whose mistakes are the same.
        findings = dict.fromkeys(root.findings)
        raise ConfigError(sorted(findings, key=lambda one: (one.file != file, one.file, one.line)))
    return config


def referenced_paths(text: str) -> frozenset[str]:
    """List the paths of the source that a configuration names, as far as it can be read."""
    fields = _fields(text)
    paths = [path for item in _items(fields) for path in _paths(item.entries())]
    if "validate" in fields and "baseline" in (judged := fields["validate"].entries()):
        paths.append(read_path(judged["baseline"]))
    return frozenset(path for path in paths if path) | referenced_texts(text)


def referenced_texts(text: str) -> frozenset[str]:
    """List the files whose texts belong to a configuration, as far as it can be read: structure tests, and signers."""
    fields = _fields(text)
    tests = frozenset(path for item in _items(fields) for path in _texts(item.entries()) if path)
    return tests | frozenset(list_files(fields))


def named_dockerfiles(text: str) -> frozenset[str]:
    """List the Dockerfiles that a configuration names, as far as it can be read."""
    named = (item.entries().get("dockerfile") for item in _items(_fields(text)))
    return frozenset(path for cursor in named if cursor and (path := read_path(cursor)))


def _fields(text: str) -> Mapping[str, Cursor]:
    try:
        return read_tree(text, file="").entries()
    except ConfigError:
        return {}


def _items(fields: Mapping[str, Cursor]) -> tuple[Cursor, ...]:
    return list_entries(fields["images"]) if "images" in fields else ()


def _paths(fields: Mapping[str, Cursor]) -> Iterator[str]:
    for key in ("dockerfile", "context"):
        if key in fields:
            yield read_path(fields[key])
    if "contexts" in fields:
        yield from context_folders(fields["contexts"])


def _texts(fields: Mapping[str, Cursor]) -> Iterator[str]:
    if "smoke" in fields and fields["smoke"].kind == "seq":
        for check in fields["smoke"].items():
            if path := check.entries().get(STRUCTURE):
                yield read_path(path)


def lines_of_images(text: str) -> list[dict[str, int]]:
    """List, for each image of a configuration without mistakes, the line of each of its keys.

    A context has a key of its own, such as "contexts.base".
    """
    return [_lines(entry.entries()) for entry in list_entries(read_tree(text, file="").entries()["images"])]


def _lines(fields: Mapping[str, Cursor]) -> dict[str, int]:
    contexts = fields["contexts"].entries() if "contexts" in fields else {}
    named = {f"contexts.{short_reference(name)}": value.line for name, value in contexts.items()}
    return {key: value.line for key, value in fields.items()} | named


def _compression(cursor: Cursor) -> Compression:
    return Compression(cursor.choice([known.value for known in Compression]) or Compression.GZIP)
