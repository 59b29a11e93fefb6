"""Checks a source that was surveyed: its configuration, Dockerfiles, build contexts and workflows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ci.config import PathKind, lines_of_images, named_dockerfiles, parse_config, referenced_texts
from ci.core.errors import ConfigError
from ci.core.fill import Missing, fill_images
from ci.core.findings import Finding, Severity, error, note
from ci.core.model import Config, Image
from ci.core.text import show
from ci.core.values import Values
from ci.dockerfile import parse_dockerfile
from ci.validate.accept import check_comments
from ci.validate.buildkit_script import Subject
from ci.validate.checkout import Needs, check_checkouts, check_left_out
from ci.validate.context import Context, check_context, ignore_file_of, read_context
from ci.validate.dockerfile import BaseImage, bases_of, check_dockerfile, check_pins, named_bases_of, scopes_of
from ci.validate.machines import check_machines
from ci.validate.needs import check_needs
from ci.validate.surface import Surface
from ci.validate.tree import Tree
from ci.validate.workflow import check_workflows


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What was found, and what is left to ask the registries and BuildKit."""

    findings: tuple[Finding, ...]
    bases: tuple[tuple[str, BaseImage], ...] = ()  # each with the file that names it
    subjects: tuple[Subject, ...] = ()  # what BuildKit is asked about
    config: Config | None = None  # what was read; None where it has mistakes


def validate_source(tree: Tree, *, text: str, config: str, surface: Surface) -> Validation:
    """Check a source: configuration, Dockerfiles, contexts and workflows.

    Args:
        tree: what the source holds.
        text: the configuration.
        config: the path of the configuration, for the findings.
        surface: the functions and arguments that calls in workflows may name.

    """
    findings = list(check_workflows(tree, surface))
    findings += check_comments(config, text)
    try:
        read = parse_config(text, file=config, kinds=_kinds(tree), texts=_texts(tree, text))
    except ConfigError as mistakes:
        findings += mistakes.findings
        message = "Dockerfiles and contexts were not held against this configuration"
        findings.append(note(config, 1, "config-skipped", message, "Mend its errors, and validate again."))
        return Validation(findings=tuple(findings))
    # As a build is given them that nobody tells anything of the run.
    parsed = fill_images(read, Values(), Missing.STANDS_IN)
    bases: list[tuple[str, BaseImage]] = []
    subjects: list[Subject] = []
    needs = Needs()
    contexts: dict[tuple[str, str], Context] = {}  # many images may share a large one
    for image, lines in zip(parsed.images, lines_of_images(text), strict=True):
        if tree.kinds.get(image.dockerfile) is PathKind.MISSING:
            message = f"{show(image.dockerfile)} is made by a step before the build, so that nothing of it was checked"
            findings.append(note(config, lines["dockerfile"], "generated", message))
            continue
        written = tree.text(image.dockerfile)
        if written is None:
            message = "it is no text of at most 1 MiB"
            findings.append(error(image.dockerfile, 1, "dockerfile-syntax", message, "Save it as UTF-8."))
            continue
        findings += check_comments(image.dockerfile, written)
        dockerfile = parse_dockerfile(written, file=image.dockerfile)
        linked = written != "" and tree.files.get(image.dockerfile) == 0
        subjects.append(Subject(image=image, text=written, dockerfile=dockerfile, lines=lines, linked=linked))
        each = scopes_of(dockerfile, image)
        scopes = each[0]
        found = check_dockerfile(dockerfile, scopes, image, config=config, lines=lines)
        findings += found
        if not dockerfile.faults and not any(finding.severity is Severity.ERROR for finding in found):
            findings += check_pins(written, image)
        line = lines.get("context", lines.get("dockerfile", 1))
        key = (image.context, ignore_file_of(tree, image))
        if key not in contexts:
            contexts[key] = read_context(tree, *key)
        findings += check_context(contexts[key], image, scopes, config=config, line=line)
        findings += check_left_out(tree, image, contexts[key], scopes, config=config)
        needs.add(tree, image, contexts[key], scopes)
        findings += _link(tree, image, config, lines["dockerfile"])
        findings += check_needs(tree, dockerfile, scopes, contexts[key], image)
        # What is most likely a stage has been said to be none: its image is not asked for.
        misspelt = {finding.line for finding in found if finding.rule == "stage-unknown"}
        for scopes in each:
            bases += [(image.dockerfile, base) for base in bases_of(scopes) if base.line not in misspelt]
            bases += [(config, base) for base in named_bases_of(scopes, lines)]
    findings += check_checkouts(tree, surface, needs, config=config)
    findings += check_machines(tree, surface, parsed, config=config)
    findings += _unused(tree, parsed)
    return Validation(
        findings=tuple(findings), bases=tuple(dict.fromkeys(bases)), subjects=tuple(subjects), config=parsed
    )


def dockerfiles_of(tree: Tree, text: str) -> tuple[str, ...]:
    """List the Dockerfiles that a configuration names and the source holds, for the linters; of a link, its file."""
    paths = (path for path in sorted(named_dockerfiles(text)) if tree.kinds.get(path) is PathKind.FILE)
    return tuple(dict.fromkeys(tree.links.get(path, path) for path in paths if tree.text(path) is not None))


def follow_links(tree: Tree, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Say what was found in a link to a Dockerfile of the file that it leads to, so that it is said once."""
    for finding in findings:
        yield replace(finding, file=tree.links.get(finding.file, finding.file))


def _link(tree: Tree, image: Image, config: str, line: int) -> Iterator[Finding]:
    if to := tree.links.get(image.dockerfile):
        message = f"{show(image.dockerfile)} is a link to {show(to)}, where all that is wrong with it is shown"
        yield note(config, line, "dockerfile-link", message)


def _kinds(tree: Tree) -> dict[str, PathKind]:
    """Tell what the named paths are; the other Dockerfiles are there to be suggested."""
    others = {path: PathKind.FILE for path in tree.files if "dockerfile" in path.lower()}
    return {**others, **tree.kinds}


def _texts(tree: Tree, text: str) -> dict[str, str]:
    """Read the files of checks that the configuration names; one that is no text is empty, which is a mistake."""
    files = (path for path in referenced_texts(text) if tree.kinds.get(path) is PathKind.FILE)
    return {path: tree.text(path) or "" for path in files}


def _unused(tree: Tree, config: Config) -> Iterator[Finding]:
    """Name the Dockerfiles beside those of the configuration, which no release would build."""
    used = {path for image in config.images for path in (image.dockerfile, tree.links.get(image.dockerfile, ""))}
    folders = {path.rpartition("/")[0] for path in used}
    for path in sorted(tree.files):
        folder, _, name = path.rpartition("/")
        if tree.links.get(path, path) in used:
            continue
        if folder in folders and re.fullmatch(r"Dockerfile(?:\.(?!dockerignore)[\w-]+)?", name):
            message = f"{show(path)} is not in the configuration, so that no release holds it"
            yield note(path, 1, "dockerfile-unused", message, "Add an image for it, or move it elsewhere.")
