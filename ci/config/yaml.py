"""Reads one YAML document within limits: text in, its root with all lines known out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import yaml

from ci.config.cursor import CORE, Cursor
from ci.core.errors import ConfigError
from ci.core.findings import mistake
from ci.core.text import show

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 10_000

_TAGS = frozenset(CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))


def read_tree(text: str, *, file: str) -> Cursor:
    """Read one YAML document without building any value of it.

    Raises:
        ConfigError: it is not one well-formed YAML document within the limits on size and depth.

    """
    try:
        node = _compose(text)
    except ConfigError as refused:
        raise ConfigError([replace(found, file=file) for found in refused.findings]) from None
    return Cursor(node=node, key="", line=node.start_mark.line + 1, file=file, findings=[])


@lru_cache(maxsize=4)
def _compose(text: str) -> yaml.Node:
    """Make the nodes of a text, which nobody changes: a long one takes a second, and is asked for several times."""
    limits = _Limits()
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise limits.refusal("the file is too long", 1, f"at most {MAX_BYTES} bytes")
    try:
        limits.check(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed"
        raise limits.refusal(message, line, "printable text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise limits.refusal(f"not YAML: {show(message, limit=300)[1:-1]}", mark.line + 1 if mark else 1) from None
    if node is None or (node.tag == f"{CORE}null" and not node.value):
        raise limits.refusal("the file is empty", 1, "a mapping (key: value)")
    return node


@dataclass(kw_only=True, slots=True)
class _Collection:
    """A list or mapping while its events arrive: how much it holds once its aliases are expanded."""

    anchor: str | None = None
    values: int = 1
    height: int = 1  # levels, its own included


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limits:
    """Checks a document against every limit before anything recurses over it or expands it."""

    open: list[_Collection] = field(default_factory=lambda: [_Collection()])  # the first holds the root
    sizes: dict[str | None, tuple[int, int]] = field(default_factory=dict)  # of anchors: values, height

    def refusal(self, message: str, line: int, accepted: str = "") -> ConfigError:
        """Say why the file cannot be read any further."""
        return ConfigError([mistake("", line, "", message, accepted=accepted)])

    def check(self, text: str) -> None:
        """Look at all events of a text."""
        loader = yaml.SafeLoader(text)
        documents = 0
        try:
            while event := loader.get_event():  # type: ignore[no-untyped-call]
                line = event.start_mark.line + 1
                tag: str = getattr(event, "tag", None) or "!"
                if tag != "!" and tag not in _TAGS:
                    raise self.refusal(f"the tag {show(tag)} is not accepted", line, "values without a tag")
                documents += isinstance(event, yaml.DocumentStartEvent)
                if documents > 1:
                    raise self.refusal("a second document begins here", line, "one document")
                self._measure(event, line)
        except (ValueError, OverflowError):
            # PyYAML makes a character of "\UFFFFFFFF", and a number of any %YAML version, without looking.
            raise self.refusal("not YAML: a number is out of range", loader.get_mark().line + 1) from None

    def _measure(self, event: yaml.Event, line: int) -> None:
        match event:
            case yaml.AliasEvent() if any(c.anchor == event.anchor for c in self.open):
                raise self.refusal(f"the alias {show(event.anchor or '')} is inside what it stands for", line)
            case yaml.AliasEvent():
                self._add(*self.sizes.get(event.anchor, (1, 0)), line)
            case yaml.ScalarEvent():
                self.sizes[event.anchor] = (1, 0)
                self._add(1, 0, line)
            case yaml.CollectionStartEvent():
                self.open.append(_Collection(anchor=event.anchor))
                self._add(0, 0, line)
            case yaml.CollectionEndEvent():
                done = self.open.pop()
                self.sizes[done.anchor] = (done.values, done.height)
                self._add(done.values, done.height, line)

    def _add(self, values: int, height: int, line: int) -> None:
        parent = self.open[-1]
        parent.values += values
        parent.height = max(parent.height, height + 1)
        if parent.values > MAX_VALUES:
            raise self.refusal("the file holds too much", line, f"at most {MAX_VALUES} values, aliases expanded")
        if len(self.open) - 1 + height > MAX_DEPTH:
            raise self.refusal("lists and mappings are nested too deeply", line, f"at most {MAX_DEPTH} levels")
