"""The documentation holds: its links lead somewhere, its examples parse, its commands and its quoted texts exist."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from dagger.mod import default_module

import ci.main
from ci.config.parse import parse_config

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
MAKEFILE = (ROOT / "Makefile").read_text()
THEIRS = "## What others say"  # below it stand texts that are not ours

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_OTHER_WORDS = frozenset(("help",))  # options that every call has


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Name a page's headings as GitHub does: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(PAGES[0].read_text())}
    assert {page for page in PAGES[1:] if page.parent == DOCS} <= linked


def fences(language: str) -> list[tuple[str, str]]:
    """List the blocks of a language, `yaml smoke` for instance, with the page they stand on."""
    return [
        (f"{name_of(page)}: {text.strip().splitlines()[0]}", text)
        for page in PAGES
        for kind, text in _FENCE.findall(page.read_text())
        if kind == language
    ]


SMOKE, IMAGES, PLAIN = fences("yaml smoke"), fences("yaml images"), fences("yaml")


def test_there_are_examples() -> None:
    assert len(SMOKE) > 10
    assert len(IMAGES) > 2


@pytest.mark.parametrize("text", [text for _, text in SMOKE], ids=[name for name, _ in SMOKE])
def test_every_example_of_smoke_checks_is_accepted(text: str) -> None:
    checks = "\n".join(f"      {line}" for line in text.splitlines())
    image = (
        f"  - name: app\n    dockerfile: Dockerfile\n    platforms: [linux/amd64, linux/arm64]\n    smoke:\n{checks}\n"
    )
    parsed = parse_config(f"repository: ghcr.io/acme/{{name}}\nimages:\n{image}", file="example")
    assert len(parsed.images[0].smoke) == len(yaml.safe_load(text))


@pytest.mark.parametrize("text", [text for _, text in IMAGES], ids=[name for name, _ in IMAGES])
def test_every_example_of_a_configuration_is_accepted(text: str) -> None:
    assert parse_config(text, file="example").images


@pytest.mark.parametrize("text", [text for _, text in PLAIN], ids=[name for name, _ in PLAIN])
def test_every_other_example_is_yaml(text: str) -> None:
    assert yaml.safe_load(text)


def commands(page: Path) -> Iterator[str]:
    """List what a page tells to type, in blocks and in the text."""
    for kind, text in _FENCE.findall(page.read_text()):
        if kind in ("sh", "text"):
            yield from text.replace("\\\n", " ").splitlines()
    yield from (code.replace("\\\n", " ").replace("\n", " ") for code in _CODE.findall(prose(page)))


def calls(page: Path) -> Iterator[list[str]]:
    """List the words behind `call` of each call of the module, as far as they were written out."""
    for command in commands(page):
        if found := re.search(r"\bdagger\b(?:(?!\bcall\b).)*\bcall\b(.*)", command):
            # An ellipsis stands for what the reader adds.
            yield shlex.split(found[1].split("…")[0].replace("...", ""), comments=True)


def kebab(name: str) -> str:
    return name.replace("_", "-")


MODULE = default_module().get_object("Ci")
FUNCTIONS = {kebab(name): function for name, function in MODULE.functions.items() if name}
CONSTRUCTOR = {kebab(parameter.name) for parameter in MODULE.get_constructor().parameters.values()}


def test_the_constructor_is_as_it_is_documented() -> None:
    assert {kebab(field.name) for field in fields(ci.main.Ci)} == CONSTRUCTOR


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_call_names_a_function_and_arguments_that_exist(page: Path) -> None:
    for words in calls(page):
        rest = [word for word in words if word != "-y"]
        while rest and rest[0].startswith("--"):
            option, equals, _ = rest.pop(0)[2:].partition("=")
            assert option in CONSTRUCTOR | _OTHER_WORDS, words
            if not equals and rest and option in CONSTRUCTOR:
                rest.pop(0)
        if not rest or rest[0].isupper():
            continue
        function = FUNCTIONS.get(rest[0])
        assert function, words
        known = {kebab(parameter.name) for parameter in function.parameters.values()} | _OTHER_WORDS
        for word in rest[1:]:
            if word == "export":  # what the function returns has functions of its own
                break
            if word.startswith("--"):
                assert word[2:].partition("=")[0] in known, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for command in commands(page):
        if found := re.match(r"make ([a-z-]+)", command):
            assert found[1] in targets, command


def literals() -> Iterator[str]:
    """List every text of the code; what is filled in when it is raised is left out."""
    for file in [*(ROOT / "ci").rglob("*.py"), *(ROOT / "deploy/engine").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    for hook in (ROOT / ".githooks").iterdir():
        yield hook.read_text()


TEXTS = tuple(literals())


def quoted(page: Path) -> list[str]:
    return re.findall(r"^### `(.+)`$", page.read_text().split(THEIRS)[0], re.MULTILINE)


QUOTED = [(page, text) for page in PAGES for text in quoted(page)]


@pytest.mark.parametrize(("page", "text"), QUOTED, ids=[f"{name_of(page)}: {text}" for page, text in QUOTED])
def test_every_quoted_error_is_one_of_the_code(page: Path, text: str) -> None:
    pattern = re.compile("[^\n]*".join(re.escape(part) for part in text.split("…")))
    assert any(pattern.search(one) for one in TEXTS), f"{name_of(page)} quotes a text that nothing says: {text}"


def test_enough_is_quoted() -> None:
    assert len(QUOTED) > 60


def test_the_architecture_names_files_that_exist() -> None:
    for name in _CODE.findall((DOCS / "architecture.md").read_text()):
        if re.fullmatch(r"(?:tests|deploy|ci)/[\w./-]*", name):
            assert (ROOT / name).exists(), name
