"""Reads what the steps of a job build: build-push-action and its like, with the names that metadata-action gives."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ci.init.baking import PUSHES, Recipe, bake_commands, bake_images, of_action, of_command
from ci.init.documents import Lines, mapping, text_of
from ci.init.holes import HOLE, fill, hide, hole, is_false, show_again, shown, split
from ci.init.makefiles import Makefile, build_commands, made_by, read_command
from ci.init.merging import note_merge
from ci.init.naming import Meta, named, ruled, tagged
from ci.init.released import BY_DIGEST, Built, unique
from ci.init.run import Files, Run
from ci.init.scripts import Values, follow
from ci.init.signing import note_attestation, note_installer, note_signing
from ci.init.stacked import stack
from ci.init.supply import read_supply
from ci.init.tagging import (
    USUAL,
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
# What every step of a workflow has among its variables.
_GITHUB = (
    "github.ref",
    "github.ref_name",
    "github.ref_type",
    "github.sha",
    "github.repository",
    "github.repository_owner",
)
_SECRET = re.compile(r"(?<![\w-])secrets\.([\w-]+)")
_LOGIN = re.compile(
    r"\b(?:docker|podman|buildah|skopeo|crane auth|regctl registry|oras)[ \t]+login\b"
    r"(?:[^\n]*?[ \t][\"']?([a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)[\"']?(?=\s|$))?"
)
_REF = re.compile(r"github\.(?:ref|ref_name|head_ref)\b")
_NAME = re.compile(r"(?:^|,)\"?name=([^,\"]+)")


def read_job(job: Job, files: Files, *, several: bool, before: Iterable[Run] = ()) -> Run:
    """Read what a job builds and pushes.

    Args:
        job: one run of it.
        files: what its steps may call.
        several: whether the source has workflows that release at other events.
        before: the jobs that it waits for.

    """
    run = Run(job=job, several=several, known=dict(job.known))
    for other in before:
        _hand_on(other, run)
    for step in job.steps:
        if is_false(text_of(step, "if"), run.known):
            continue
        run.place = f"{job.file}:{step.line}"
        run.condition = joined(job.condition, plain_condition(text_of(step, "if")))
        _step(run, step, files)
    run.bare = [*run.built]
    run.built = [named(built, run.metas.values(), run.outputs, run.condition or job.events) for built in run.built]
    return run


def _hand_on(done: Run, run: Run) -> None:
    """Let a job know what one that it waits for has worked out."""
    run.metas = {**done.metas, **run.metas}
    for name, text in done.job.outputs.items():
        key = f"needs.{done.job.name}.outputs.{name}".lower()
        filled = fill(text, done.known)
        held = HOLE.fullmatch(filled)
        options = done.outputs.get(held[1].lower(), (filled,)) if held else (filled,)
        if len(options) == 1:
            run.known.setdefault(key, options[0])
        run.outputs.setdefault(key, options)


def _step(run: Run, step: Lines, files: Files) -> None:
    run.known = environment(step, run.known)
    given = Lines(
        {key: fill(value, run.known) for key, value in mapping(step.get("with")).items() if isinstance(value, str)}
    )
    found = _ACTION.fullmatch(fill(text_of(step, "uses"), run.known))
    action = found[1].rpartition("/")[2] if found else ""
    identity = fill(text_of(step, "id"), run.known)
    _note_checkout(run, action, given)
    note_attestation(run, text_of(step, "uses"), given, step)
    note_installer(run, action)
    if action == "login-action":
        _log_in(run, mapping(step.get("with")), shown(given.get("registry", "") or "docker.io"))
    elif action == "metadata-action":
        run.metas[identity or run.place] = _meta(run, given)
        run.own_metas.add(identity or run.place)
    elif action == "build-push-action":
        if (built := _built(run, given)) is not None:
            run.identified[identity.lower()] = len(run.built)
            run.built.append(built)
    elif action == "bake-action":
        _bake(run, of_action(given, run.place), files)
    elif identity and _REF.search(" ".join(given.values())):
        # What an action of their own makes of the name of the branch or the tag is most likely a tag.
        run.known[f"steps.{identity}.outputs.tag".lower()] = hole("github.ref_name")
    elif script := fill(text_of(step, "run"), run.known):
        if found := _LOGIN.search(script):
            values = {**mapping(step.get("env")), "run": text_of(step, "run")}
            _log_in(run, Lines(values), shown(found[1] or "docker.io"))
        _script(run, script, identity, files)


def _log_in(run: Run, given: Lines, where: str) -> None:
    run.logged_in = True
    secrets = _SECRET.findall(" ".join(value for value in given.values() if isinstance(value, str)))
    if own := [name for name in unique(secrets) if name != "GITHUB_TOKEN"]:
        said = f"logs in to {where} with the secrets {' and '.join(own)}: --login gives it to a release"
        run.remarks.append(f"{run.place}: {said}")


def _bake(run: Run, recipe: Recipe, files: Files) -> None:
    environment = {name.replace("github.", "github_"): run.known.get(name, hole(name)) for name in _GITHUB}
    environment |= _environment(run)
    condition = run.condition or run.job.events
    built, lost = bake_images(
        recipe, files.bakes, environment, metas=run.metas, outputs=run.outputs, condition=condition
    )
    run.built += built
    run.unread += lost


def _environment(run: Run) -> dict[str, str]:
    """Return the variables of a step, by their names in lower case."""
    return {name.removeprefix("env."): value for name, value in run.known.items() if name.startswith("env.")}


def _note_checkout(run: Run, action: str, given: Lines) -> None:
    if action == "checkout" and given.get("fetch-depth") == "0":
        text = "the checkout brings all history: a build that asks git needs git: true, and --git .git in each call"
        run.remarks.append(f"{run.place}: {text}")


def _meta(run: Run, given: Lines) -> Meta:
    condition = run.condition or (run.job.events if run.several else "")
    text = given.get("tags", "") or "\n".join(USUAL)
    flavor, lost = take_flavor(given.get("flavor", ""), run.place)
    found = take_rules(text, run.place, condition, run.job.exact or run.job.events)
    return Meta(
        images=tuple(list_images(given.get("images", ""))),
        target=given.get("bake-target", "") or "docker-metadata-action",
        found=replace(found, lost=(*found.lost, *lost)),
        flavor=tuple(flavor),
        tags=tuple(text.split()),
    )


def _built(run: Run, given: Lines) -> Built | None:
    """Read a build; None where it pushes nothing."""
    outputs = given.get("outputs", "")
    push = given.get("push", "")
    pushed = push not in ("", "false") or any(PUSHES.search(line) for line in outputs.split())
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
    lines = [_argument(run, line.strip()) for line in given.get("build-args", "").splitlines()]
    lines, contexts = stack(run, lines, given.get("build-contexts", "").splitlines())
    arguments = list_arguments("\n".join(lines), place, metas, handed)
    names = [word for word in split(given.get("tags", ""), r"[,\n]") if word.strip()]
    built = Built(
        place=place,
        dockerfile=file,
        context=folder,
        target=given.get("target", "") or None,
        platforms=platforms,
        build_args=arguments.values,
        contexts=contexts,
        repositories=_repositories(outputs, names),
        notes=arguments.notes,
        open_args=arguments.open,
        by_digest=BY_DIGEST in outputs,
        supply=read_supply(
            given.get("attests", "").splitlines(),
            given.get("provenance", ""),
            given.get("sbom", ""),
            place,
            _environment(run),
        ),
        lost=(*lost, *strange, *arguments.lost),
    )
    return tagged(built, names, run.metas, run.outputs, run.condition or run.job.events)


def _repositories(outputs: str, names: Iterable[str]) -> tuple[str, ...]:
    """List the names of outputs; where there are tags, these stand in the place of a name without a registry."""
    found = tuple(found[1] for line in outputs.split() if (found := _NAME.search(line)))
    return tuple(name for name in found if "/" in hide(name)[0] or HOLE.search(name) or not [*names])


def _argument(run: Run, line: str) -> str:
    """Give a name alone the value that the step's own variable has, and a script's output the lines that it is."""
    held = HOLE.fullmatch(line)
    lines = run.outputs.get(held[1].lower(), ()) if held else ()
    if lines and all("=" in one for one in lines):
        return "\n".join(lines)
    value = run.known.get(f"env.{line.lower()}", "")
    return f"{line}={value}" if value and "=" not in line else line


def _folder(context: str, place: str) -> tuple[str, tuple[str, ...]]:
    if context.startswith(("http", "git@")) or HOLE.search(context):
        return ".", (f"{place}: the context {shown(context)} is none of the source; it is taken for .",)
    return posixpath.normpath(context or ".").lstrip("/") or ".", ()


def _one(run: Run, text: str) -> str:
    """Fill in the output of a script that can only be one."""
    return HOLE.sub(lambda f: only[0] if len(only := run.outputs.get(f[1].lower(), ())) == 1 else f[0], text)


def _script(run: Run, script: str, identity: str, files: Files) -> None:
    run.scripts.append(script)
    note_signing(run, script)
    names: dict[str, str] = {}
    for name, value in _environment(run).items():
        names[name] = names[name.upper()] = value
    values, outputs, handed = follow(script, names)
    note_merge(run, script, values)
    for name, options in outputs.items():
        key = f"steps.{identity}.outputs.{name}".lower()
        if len(options) == 1 and not options[0].startswith("$"):
            run.known[key] = options[0]
        run.outputs[key] = options
    for name, options in handed.items():
        key = f"env.{name.lower()}"
        run.known[key] = options[0] if len(options) == 1 else hole(key)
        run.outputs[key] = options
    for command in bake_commands(script):
        if recipe := of_command(_said(command, values), run.place):
            _bake(run, recipe, files)
    told = {name.lower(): options[0] for name, options in values.items() if len(options) == 1}
    for command, line in _commands(script, values, files.makefiles):
        place = line or run.place
        made, names_of = read_command(command, place, told)
        if made:
            condition = run.condition or run.job.events
            run.built.append(ruled(made, rules_of([read_name(n).tag for n in names_of], place, condition)))


def _commands(script: str, values: Values, makefiles: Mapping[str, Makefile]) -> Iterator[tuple[str, str]]:
    """List the commands of a script that build an image, and where a Makefile has them."""
    for command in build_commands(script):
        yield _said(command, values), ""
    for found in re.finditer(r"(?m)^\s*make\s+([^\n;&|]*)", script):
        words = [word for word in found[1].split() if "=" not in word and not word.startswith("-")]
        if "Makefile" in makefiles:
            for command, line in made_by(makefiles, words):
                yield _said(command, values), line


def _said(command: str, values: Values) -> str:
    """Fill in the variables of a command that can only be one text."""
    bare, kept = hide(command)
    said = re.sub(r"\$\{?(\w+)\}?", lambda f: v[0] if len(v := values.get(f[1], ())) == 1 else f[0], bare)
    return show_again(said, kept)
