"""Reads what the steps of a job build: build-push-action and its like, with the names that metadata-action gives."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ci.init.documents import Lines, mapping, text_of
from ci.init.holes import HOLE, fill, shown, split
from ci.init.makefiles import Makefile, build_commands, made_by, read_command
from ci.init.released import Built, unique
from ci.init.scripts import Values, follow
from ci.init.tagging import (
    USUAL,
    Found,
    is_local,
    is_plain,
    joined,
    list_images,
    plain_condition,
    read_name,
    rules_of,
    run_value,
    take_flavor,
    take_rules,
)
from ci.init.values import list_arguments, list_platforms
from ci.init.workflows import Job, environment

_ACTION = re.compile(r"[\w.-]+/([\w./-]+?)(?:@.*)?")
_PUSHES = re.compile(r"(?:^|,)(?:push=(?!false)|type=registry)")
_NAME = re.compile(r"(?:^|,)\"?name=([^,\"]+)")


@dataclass(kw_only=True, slots=True)
class _Meta:
    """What one metadata-action says."""

    images: tuple[str, ...]
    found: Found
    flavor: tuple[str, ...]
    tags: tuple[str, ...]  # as they are written, for a registry of the run itself


@dataclass(kw_only=True, slots=True)
class Run:
    """What is known while one job goes on."""

    job: Job
    several: bool  # whether other events start other jobs that release
    known: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of scripts, where several are possible
    metas: dict[str, _Meta] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # on what surrounds a build
    logged_in: bool = False
    scripts: list[str] = field(default_factory=list)
    place: str = ""
    condition: str = ""
    built: list[Built] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_job(job: Job, makefiles: Mapping[str, Makefile], *, several: bool) -> Run:
    """Read what a job builds and pushes.

    Args:
        job: one run of it.
        makefiles: those of the source, by their paths.
        several: whether the source has workflows that release at other events.

    """
    run = Run(job=job, several=several, known=dict(job.known))
    for step in job.steps:
        run.place = f"{job.file}:{step.line}"
        run.condition = joined(job.condition, plain_condition(text_of(step, "if")))
        _step(run, step, makefiles)
    run.built = [_named(run, built) for built in run.built]
    return run


def _step(run: Run, step: Lines, makefiles: Mapping[str, Makefile]) -> None:
    run.known = environment(step, run.known)
    given = Lines(
        {key: fill(value, run.known) for key, value in mapping(step.get("with")).items() if isinstance(value, str)}
    )
    found = _ACTION.fullmatch(fill(text_of(step, "uses"), run.known))
    action = found[1].rpartition("/")[2] if found else ""
    identity = fill(text_of(step, "id"), run.known)
    _note_checkout(run, action, given)
    if action == "login-action":
        run.logged_in = True
        secrets = re.findall(
            r"(?<![\w-])secrets\.([\w-]+)",
            " ".join(v for v in mapping(step.get("with")).values() if isinstance(v, str)),
        )
        own = [name for name in secrets if name != "GITHUB_TOKEN"]
        if own:
            where = shown(given.get("registry", "") or "docker.io")
            run.remarks.append(
                f"{run.place}: logs in to {where} with the secrets {' and '.join(own)}: --login gives it to a release"
            )
    elif action == "metadata-action":
        run.metas[identity or run.place] = _meta(run, given)
    elif action == "build-push-action":
        if (built := _built(run, given)) is not None:
            run.built.append(built)
    elif action == "bake-action":
        files = shown(given.get("files", "")) or "docker-bake.hcl"
        why = _HCL if ".hcl" in files else "its targets are not read"
        run.unread.append(f"{run.place}: bake-action with {' '.join(files.split())}: {why}")
    elif script := fill(text_of(step, "run"), run.known):
        _script(run, script, identity, makefiles)


_HCL = "HCL is not read; a file of JSON would be (docker buildx bake --print writes one)"


def _note_checkout(run: Run, action: str, given: Lines) -> None:
    if action == "checkout" and given.get("fetch-depth") == "0":
        text = "the checkout brings all history: a build that asks git needs git: true, and --git .git in each call"
        run.remarks.append(f"{run.place}: {text}")


def _meta(run: Run, given: Lines) -> _Meta:
    condition = run.condition or (run.job.events if run.several else "")
    text = given.get("tags", "") or "\n".join(USUAL)
    flavor, lost = take_flavor(given.get("flavor", ""), run.place)
    found = take_rules(text, run.place, condition, run.job.events)
    return _Meta(
        images=tuple(list_images(given.get("images", ""))),
        found=replace(found, lost=(*found.lost, *lost)),
        flavor=tuple(flavor),
        tags=tuple(text.split()),
    )


def _built(run: Run, given: Lines) -> Built | None:
    """Read a build; None where it pushes nothing."""
    outputs = given.get("outputs", "")
    push = given.get("push", "")
    pushed = push not in ("", "false") or any(_PUSHES.search(line) for line in outputs.split())
    # An archive that a later step pushes is released too, where the job can log in.
    archived = "type=oci" in outputs and run.logged_in
    if not pushed and not archived:
        return None
    place = run.place
    context = given.get("context", "")
    folder, lost = _folder(context, place)
    file = given.get("file", "")
    file = posixpath.normpath(file) if file else posixpath.normpath(posixpath.join(folder, "Dockerfile"))
    if HOLE.search(file):
        run.unread.append(f"{place}: the Dockerfile {shown(file)} is named by a script")
        return None
    platforms, strange = list_platforms(_one(run, given.get("platforms", "")), place)
    metas = {f"steps.{name}." for name in run.metas}
    handed = {key: word for key, options in run.outputs.items() if (word := run_value(options))}
    arguments = list_arguments(_from_environment(run, given.get("build-args", "")), place, metas, handed)
    names = [word for word in split(given.get("tags", ""), r"[,\n]") if word.strip()]
    built = Built(
        place=place,
        dockerfile=file,
        context=folder,
        target=given.get("target", "") or None,
        platforms=platforms,
        build_args=arguments.values,
        contexts=dict(
            line.strip().split("=", 1)
            for line in given.get("build-contexts", "").splitlines()
            if "=" in line and not HOLE.search(line)
        ),
        repositories=tuple(found[1] for line in outputs.split() if (found := _NAME.search(line))),
        notes=arguments.notes,
        lost=(*lost, *strange, *arguments.lost),
    )
    return _tagged(run, built, names)


def _from_environment(run: Run, text: str) -> str:
    """Give an argument without a value that of the environment, as buildx does."""

    def given(line: str) -> str:
        value = run.known.get(f"env.{line.strip().lower()}")
        return line if value is None else f"{line.strip()}={value}"

    return "\n".join(map(given, text.splitlines()))


def _folder(context: str, place: str) -> tuple[str, tuple[str, ...]]:
    if context.startswith(("http", "git@")) or HOLE.search(context):
        return ".", (f"{place}: the context {shown(context)} is none of the source; it is taken for .",)
    return posixpath.normpath(context or ".").lstrip("/") or ".", ()


def _one(run: Run, text: str) -> str:
    """Fill in the output of a script that can only be one."""
    return HOLE.sub(lambda f: only[0] if len(only := run.outputs.get(f[1].lower(), ())) == 1 else f[0], text)


def _tagged(run: Run, built: Built, names: list[str]) -> Built:
    """Give an image the names that its step lists."""
    tags: list[str] = []
    for name in names:
        held = HOLE.fullmatch(name.strip())
        step = held and re.fullmatch(r"steps\.([\w-]+)\.outputs\.tags", held[1])
        if step and step[1] in run.metas:
            built = _from_meta(built, run.metas[step[1]])
            continue
        for option in run.outputs.get(held[1].lower(), (name,)) if held else (name,):
            for one in split(option.strip(), r"[,\s]+"):
                if one and not (HOLE.fullmatch(one)):
                    made = read_name(one)
                    tags.append(made.tag)
                    built = replace(built, repositories=(*built.repositories, made.repository))
                    built = replace(built, local=(*built.local, one)) if is_local(made.repository) else built
                elif one and "pull_request" not in one:
                    built = replace(
                        built, lost=(*built.lost, f"{built.place}: the names {shown(one)} are made by a script")
                    )
    if tags:
        found = rules_of(tags, built.place, run.condition or run.job.events)
        built = _with(built, found)
    return built


def _with(built: Built, found: Found) -> Built:
    notes = (f"tags: a guess, read from the script that makes {found.guessed[0]}",) if found.guessed else ()
    return replace(
        built,
        rules=(*built.rules, *found.rules),
        flavor=(*built.flavor, *found.flavor),
        notes=unique((*built.notes, *notes)),
        lost=unique((*built.lost, *found.lost)),
    )


def _from_meta(built: Built, meta: _Meta) -> Built:
    local = tuple(f"{image}:{tag}" for image in meta.images if is_local(image) for tag in meta.tags)
    return replace(
        _with(built, meta.found),
        repositories=(*built.repositories, *(read_name(image).repository for image in meta.images)),
        flavor=(*built.flavor, *meta.flavor),
        local=(*built.local, *local),
    )


def _named(run: Run, built: Built) -> Built:
    """Give an image that is pushed by its digest the names that later steps give it; sort out what is no name."""
    if not built.rules and not built.local:
        own = {read_name(repository).repository for repository in built.repositories}
        metas = [m for m in run.metas.values() if not own or own & {read_name(i).repository for i in m.images}]
        for meta in metas[:1]:
            built = _from_meta(built, meta)
        written = [value for key, values in run.outputs.items() if "tag" in key.rpartition(".")[2] for value in values]
        if not metas and written:
            built = _tagged(run, built, [one for value in written for one in split(value, ",")])
    names = unique(read_name(repository).repository for repository in built.repositories)
    good = tuple(name for name in names if is_plain(name) and not is_local(name))
    lost = [
        f"{built.place}: the repository {shown(n)} is not plain" for n in names if not is_plain(n) and not is_local(n)
    ]
    return replace(
        built,
        repositories=good,
        lost=unique((*built.lost, *lost)),
    )


def _script(run: Run, script: str, identity: str, makefiles: Mapping[str, Makefile]) -> None:
    run.scripts.append(script)
    environment = {name.removeprefix("env."): value for name, value in run.known.items() if name.startswith("env.")}
    names: dict[str, str] = {}
    for name, value in environment.items():
        names[name] = names[name.upper()] = value
    values, outputs, handed = follow(script, names)
    for name, options in outputs.items():
        key = f"steps.{identity}.outputs.{name}".lower()
        if len(options) == 1 and not options[0].startswith("$"):
            run.known[key] = options[0]
        run.outputs[key] = options
    for name, options in handed.items():
        if len(options) == 1:
            run.known[f"env.{name.lower()}"] = options[0]
    for command, line in _commands(script, values, makefiles):
        place = line or run.place
        made, names_of = read_command(command, place)
        if made:
            condition = run.condition or run.job.events
            run.built.append(_with(made, rules_of([read_name(n).tag for n in names_of], place, condition)))


def _commands(script: str, values: Values, makefiles: Mapping[str, Makefile]) -> Iterator[tuple[str, str]]:
    """List the commands of a script that build an image, and where a Makefile has them."""
    for command in build_commands(script):
        yield re.sub(r"\$\{?(\w+)\}?", lambda f: v[0] if len(v := values.get(f[1], ())) == 1 else f[0], command), ""
    for found in re.finditer(r"(?m)^\s*make\s+([^\n;&|]*)", script):
        words = [word for word in found[1].split() if "=" not in word and not word.startswith("-")]
        if "Makefile" in makefiles:
            yield from made_by(makefiles, words)
