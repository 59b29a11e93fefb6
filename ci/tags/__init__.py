"""Which names an event gives an image, by rules that are written as docker/metadata-action's.

Open `names.py` first: it applies the rules; `rules.py` reads them.
"""

from ci.tags.errors import RuleError
from ci.tags.event import Event
from ci.tags.names import Names, names_of, rules_for
from ci.tags.rules import parse_flavor, parse_rule, split_lines
from ci.tags.versions import compare_versions

__all__ = [
    "Event",
    "Names",
    "RuleError",
    "compare_versions",
    "names_of",
    "parse_flavor",
    "parse_rule",
    "rules_for",
    "split_lines",
]
