"""Gathers what a repository's workflows, Makefiles, bake and compose files say of the images that it releases."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ci.init.bake import is_bake, usual_files
from ci.init.baking import Recipe, bake_images
from ci.init.compose import beside, is_compose, read_compose
from ci.init.makefiles import FILES, Makefile, made_by, read_command, read_makefile
from ci.init.merging import merge_platforms, name_later
from ci.init.naming import named
from ci.init.project import VERSIONS, tool_version
from ci.init.published import find_hidden, is_readme, pulled
from ci.init.released import Built, Released, Triggers, unique, unite
from ci.init.run import Files, Run
from ci.init.runs_on import fill_platforms, list_runners
from ci.init.signing import list_signing
from ci.init.steps import read_job
from ci.init.tagging import is_plain, read_name, rules_of
from ci.init.values import list_platforms
from ci.init.workflows import Job, called_elsewhere, is_workflow, list_jobs

_SLUGS = tuple(
    re.compile(pattern)
    for pattern in (
        r"image\.(?:source|url)[\"']?\s*[=:]\s*[\"']?https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?(?=[\s\"'/]|$)",
        r"(?m)^module\s+github\.com/([\w.-]+)/([\w.-]+)",
        r"\"(?:git\+)?(?:https://|git@|git://)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?\"",
        r"github\.repository\s*==\s*'([\w.-]+)/([\w.-]+)'",
    )
)
_IN_SCRIPT = re.compile(r"\b(?:docker\.io|quay\.io|ghcr\.io|public\.ecr\.aws)/[a-z0-9._-]+/[a-z0-9._/-]+\b")
_PLATFORM = re.compile(r"\blinux/[a-z0-9]+(?:/v\d)?")
_SCRIPT = re.compile(r"(?<![\w./-])(?![\w./-]*test)[\w./-]*(?:docker|image|container)[\w./-]*\.(?:sh|bash|py)\b")
_ROOT = "Dockerfile"
# What tells other systems what to build.
OTHERS = (
    ".circleci/config.yml",
    ".drone.yml",
    ".gitlab-ci.yml",
    ".goreleaser.yaml",
    ".goreleaser.yml",
    ".travis.yml",
    ".woodpecker.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
)


def telling(paths: Iterable[str]) -> list[str]:
    """List the files of a source that may say what it releases."""
    kinds = (is_workflow, is_bake, is_compose, is_readme)
    return sorted(p for p in paths if p in (*_makefiles((p,)), *OTHERS, *VERSIONS) or any(kind(p) for kind in kinds))


def _makefiles(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path in FILES or re.fullmatch(r"(?:Makefile\.[\w-]+|[\w-]+\.mk)", path)]


def find_slug(texts: Iterable[str]) -> tuple[str, str]:
    """Find the owner and the name of the repository on GitHub in what its files say of themselves."""
    given = [*texts]
    found = (pattern.search(text) for pattern in _SLUGS for text in given)
    return next(((slug[1], slug[2]) for slug in found if slug and slug[1]), ("", ""))


def gather(files: Mapping[str, str], dockerfiles: Collection[str], project: str) -> Released:
    """Read all of them; a workflow that releases is believed before a Makefile, and that before compose.

    Args:
        files: those that `telling` lists, with their texts.
        dockerfiles: the paths of all Dockerfiles of the source.
        project: the name of the repository, as far as known.

    """
    makefiles = {path: read_makefile(files[path], path) for path in _makefiles(files)}
    if "Makefile" in makefiles:
        # An included Makefile knows the variables of the one that includes it, and lends it its own.
        for path, other in makefiles.items():
            if path != "Makefile":
                known = {**other.variables, **makefiles["Makefile"].variables}
                makefiles[path] = replace(other, variables=known)
    workflows = {path: text for path, text in files.items() if is_workflow(path)}
    jobs = list(list_jobs(workflows, project))
    bakes = {path: text for path, text in files.items() if is_bake(path)}
    called = Files(makefiles=makefiles, bakes=bakes)
    runs = _among_others(jobs, called)
    triggers = Triggers()
    for job, run in runs:
        if run.built or run.unread or _by_script(run):
            triggers = triggers.join(job.triggers)
    fill_platforms(runs)
    runners, odd = list_runners(runs)
    attest, signed = list_signing(runs)
    lost = [*_unread(runs), *_by_hand(runs), *odd, *signed]
    lost += [] if any(run.built for _, run in runs) else _elsewhere(files)
    name_later(runs)
    merge_platforms(runs)
    built = _copied(runs)
    unread = any(run.unread for _, run in runs) or any("cannot be read" in line for line in lost)
    if not built:
        built, unread_lines = _from_makefiles(makefiles)
        lost += unread_lines
        if not built and (script := _by_names(runs, dockerfiles)):
            built = [script]
        if not built:
            built, unread_files = _from_bake(bakes)
            lost += unread_files
    if not built and not unread:
        built = read_compose({path: text for path, text in files.items() if is_compose(path)}, dockerfiles)
    compose = {path: text for path, text in files.items() if is_compose(path)}
    readme = next((text for path, text in files.items() if is_readme(path)), "")
    images = unite(find_hidden(image, pulled(compose, readme), project) for image in built)
    images = tuple(_closed(image, files) for image in images)
    gone = [
        f"{image.place}: builds {image.dockerfile}, which is not there"
        for image in images
        if image.dockerfile not in dockerfiles
    ]
    images = tuple(image for image in images if image.dockerfile in dockerfiles)
    return Released(
        images=images,
        triggers=triggers,
        lost=unique([*lost, *gone, *called_elsewhere(workflows)]),
        beside=beside(compose),
        runners=runners,
        attest=attest,
    )


def _closed(image: Built, files: Mapping[str, str]) -> Built:
    """Give arguments that a script makes what a file of the source says of them, and name what is left."""
    known = {name: found for name in image.open_args if (found := tool_version(name, files))}
    notes = tuple(f"a guess: {name} is what {file} says; renew both together" for name, (_, file) in known.items())
    left = (line for name, line in image.open_args.items() if name not in (*known, *image.build_args))
    return replace(
        image,
        build_args={**image.build_args, **{name: version for name, (version, _) in known.items()}},
        notes=(*image.notes, *notes),
        lost=unique((*image.lost, *left, *image.unnamed)),
    )


def _unread(runs: Iterable[tuple[Job, Run]]) -> list[str]:
    found: list[str] = []
    given = list(runs)
    for job, run in given:
        found += run.unread
        if run.built:
            found += run.remarks
        elif not any(other.built for same, other in given if same.file == job.file):
            if _by_script(run):
                found += run.remarks
                found.append(f"{job.file}:{job.line}: builds or pushes images by a script that cannot be read")
            elif run.logged_in and not run.unread:
                found += run.remarks
                found.append(f"{job.file}:{job.line}: logs in to a registry, and what it pushes there cannot be read")
    return found


def _by_hand(runs: Iterable[tuple[Job, Run]]) -> list[str]:
    """Name workflows of which a person starts one or the other: here one run releases all."""
    files = unique(job.file for job, run in runs if run.built and job.by_hand)
    if len(files) < 2:  # noqa: PLR2004  # one and the other
        return []
    return [f"{' and '.join(files)}: each is started by hand: here one run releases the images of all of them"]


def _elsewhere(files: Collection[str]) -> list[str]:
    """Name what other systems are told, of which nothing was read."""
    return [
        f"{file}: it is not read: what it releases, and where to, is not known here" for file in OTHERS if file in files
    ]


def _by_script(run: Run) -> bool:
    return bool(not run.built and not run.unread and run.logged_in and any(map(_pushes, run.scripts)))


def _among_others(jobs: Sequence[Job], files: Files) -> list[tuple[Job, Run]]:
    """Read jobs; where several workflows release, each at other events, each says when."""
    runs = _in_order(jobs, files)
    if len({job.triggers for job, run in runs if run.built}) < 2:  # noqa: PLR2004  # one and another
        return runs
    again = [job.among_others() for job in jobs]
    return _in_order(again, files, {id(job) for job, (_, run) in zip(again, runs, strict=True) if run.built})


def _in_order(jobs: Sequence[Job], files: Files, several: Collection[int] = ()) -> list[tuple[Job, Run]]:
    """Read jobs in their order, so that each knows what those before have worked out that it waits for."""
    done: list[tuple[Job, Run]] = []
    for job in jobs:
        before = [run for other, run in done if other.file == job.file and other.name in job.needs]
        done.append((job, read_job(job, files, several=id(job) in several, before=before)))
    return done


def _copied(runs: Iterable[tuple[Job, Run]]) -> list[Built]:
    """Add the repositories that scripts of the same workflow name, for an image of the same name."""
    given = list(runs)
    made: list[Built] = []
    for job, run in given:
        scripts = {script for other, its in given if other.file == job.file for script in its.scripts}
        named = sorted({found for script in scripts for found in _IN_SCRIPT.findall(script)})
        for built in run.built:
            last = {repository.rpartition("/")[2] for repository in built.repositories}
            more = [n for n in named if n.rpartition("/")[2] in last and n not in built.repositories and is_plain(n)]
            notes = [f"a guess: a script of {job.file} copies it to {name}" for name in more]
            lost = [f"{job.file}: whether its script copies all names to {n} is not known: here they go" for n in more]
            repositories = (*built.repositories, *more)
            made.append(
                replace(built, repositories=repositories, notes=(*built.notes, *notes), lost=(*built.lost, *lost))
            )
    return made


def _pushes(script: str) -> bool:
    return bool(
        re.search(r"--push\b|docker push|buildx bake|skopeo copy|crane (?:push|copy)|make .*(?:docker|image)", script)
    )


def _by_names(runs: Iterable[tuple[Job, Run]], dockerfiles: Collection[str]) -> Built | None:
    """Take what a job that builds by a script says plainly: its repositories, and its platforms."""
    if _ROOT not in dockerfiles:
        return None
    for job, run in runs:
        if not _by_script(run):
            continue
        values = " ".join(value for name, value in job.known.items() if name.startswith(("env.", "matrix.")))
        if names := tuple(name for name in unique(_IN_SCRIPT.findall(values)) if is_plain(name)):
            place = f"{job.file}:{job.line}"
            platforms, lost = list_platforms(" ".join(_PLATFORM.findall(values)), place)
            notes = (f"a guess: that job builds by a script, and names {' '.join(names)}",)
            return Built(
                place=place,
                dockerfile=_ROOT,
                context=".",
                platforms=platforms,
                repositories=names,
                notes=notes,
                lost=lost,
            )
    return None


def _from_bake(bakes: Mapping[str, str]) -> tuple[list[Built], list[str]]:
    """Take what bake does by itself."""
    files = tuple(usual_files(bakes))
    if not files:
        return [], []
    recipe = Recipe(place=" and ".join(files), files=files, push=True)
    built, lost = bake_images(recipe, bakes, {}, metas={}, outputs={}, condition="")
    return [named(image, (), {}, "") for image in built if image.repositories or image.local], lost


def _from_makefiles(makefiles: Mapping[str, Makefile]) -> tuple[list[Built], list[str]]:
    built: list[Built] = []
    lost: list[str] = []
    for command, place in made_by(makefiles, ()):
        image, names = read_command(command, place)
        if image:
            found = rules_of([read_name(name).tag for name in names], place, "")
            lines = (*image.lost, *found.lost)
            built.append(replace(image, rules=found.rules, flavor=found.flavor, lost=lines))
        elif "-t" in command.split():
            lost.append(f"{place}: a docker build that cannot be read")
    for makefile in makefiles.values():
        for recipe in makefile.recipes.values():
            called = [(number, script[0]) for number, line in recipe if (script := _SCRIPT.search(line))]
            lost += [f"{makefile.file}:{number}: calls {script}, which is not read" for number, script in called]
    return built, lost
