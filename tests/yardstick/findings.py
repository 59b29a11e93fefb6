"""Counts what `validate` finds in public repositories, by rule: what needs no engine, and hadolint where it is there.

    python tests/yardstick/findings.py CHECKOUT...

Each is checked with the configuration that it holds, or with the one that `init` writes. Every error is listed: it is
false where `docker build` would go through.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from shutil import which

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import ci.main  # ci is importable from here on; its functions are what workflows may call
from ci.config import DEFAULT_CONFIG, referenced_paths
from ci.core.errors import DrydockError
from ci.core.findings import Finding, Severity
from ci.validate.accept import leave_accepted
from ci.validate.linter_reports import parse_reports
from ci.validate.linters.survey import survey
from ci.validate.run import read_surface
from ci.validate.source import dockerfiles_of, follow_links, validate_source
from ci.validate.tree import Tree, make_tree
from tests.yardstick.strangers import proposed

assert ci.main.__doc__
SURFACE = read_surface("ci")


def findings(root: Path) -> list[Finding]:
    """Find what can be found in a checkout."""
    own = root / DEFAULT_CONFIG
    text = own.read_text() if own.is_file() else proposed(root)[0]
    tree = make_tree(survey(root, sorted(referenced_paths(text))))
    checked = validate_source(tree, text=text, config=DEFAULT_CONFIG, surface=SURFACE)
    found = [*checked.findings, *linted(root, tree, text)]
    judged = leave_accepted(
        dict.fromkeys(follow_links(tree, found)),
        checked.config.accepted if checked.config else (),
        read=lambda path: text if path == DEFAULT_CONFIG else tree.text(path),
        config=DEFAULT_CONFIG,
        baseline=None,
    )
    return list(judged.findings)


def linted(root: Path, tree: Tree, text: str) -> list[Finding]:
    """Run hadolint over the Dockerfiles."""
    files = dockerfiles_of(tree, text)
    if not files or not which("hadolint"):
        return []
    command = ["hadolint", "--no-fail", "--no-color", "--format", "json", "--", *files]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False, text=True)
    return parse_reports(f'{{"hadolint": {done.stdout or "[]"}, "failures": {{}}}}', ())


def main(roots: Iterable[Path]) -> None:
    """Print the table, and each error."""
    rules: Counter[tuple[str, str]] = Counter()
    for root in roots:
        start = time.monotonic()
        try:
            found = findings(root)
        except DrydockError as error:
            print(f"{root.name}: {str(error).splitlines()[0]}")
            continue
        rules.update((finding.severity.value, finding.rule) for finding in found)
        count = Counter(finding.severity for finding in found)
        numbers = ", ".join(f"{count[severity]} {severity.value}s" for severity in Severity)
        print(f"{root.name}: {numbers}; {time.monotonic() - start:.1f} s")
        for finding in found:
            if finding.severity is Severity.ERROR:
                print(f"  {finding.file}:{finding.line} {finding.rule}: {finding.message}")
    print()
    for (severity, rule), number in sorted(rules.items(), key=lambda item: (item[0][0], -item[1])):
        print(f"{number:6} {severity:8} {rule}")


if __name__ == "__main__":
    main(map(Path, sys.argv[1:]))
