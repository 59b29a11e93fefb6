"""Runs hadolint, actionlint and zizmor over the folder it stands in; standard library only.

Run as `lint.py RESULT PERSONA DOCKERFILE... -- WORKFLOW...`, PERSONA being zizmor's. Writes JSON to the file
RESULT: what each tool printed as JSON, under its name, and failures (tool: text) of those that could not do their work.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_ZIZMOR = ["zizmor", "--offline", "--no-exit-codes", "--no-progress", "--quiet", "--format", "json"]
LIMIT = 120  # seconds for one tool


def lint(persona: str, dockerfiles: list[str], workflows: list[str]) -> dict[str, object]:
    """Run each tool that has something to look at."""
    commands = {
        "hadolint": ["hadolint", "--no-fail", "--no-color", "--format", "json", "--", *dockerfiles],
        "actionlint": ["actionlint", "-no-color", "-pyflakes=", "-format", "{{json .}}", "--", *workflows],
        "zizmor": [*_ZIZMOR, "--persona", persona, "."],
    }
    wanted = {"hadolint": bool(dockerfiles), "actionlint": bool(workflows), "zizmor": bool(workflows)}
    results: dict[str, object] = {}
    failures: dict[str, str] = {}
    for tool, command in commands.items():
        if not wanted[tool]:
            continue
        done = subprocess.run(command, capture_output=True, check=False, timeout=LIMIT)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        try:
            results[tool] = json.loads(out or "[]")
        except json.JSONDecodeError:
            err = err or out
            done.returncode = 2
        # 1 is how actionlint says that it found something. hadolint exits with 0 when it cannot read its own
        # configuration, and looks at nothing.
        complained = bool(err.strip()) if tool == "hadolint" else done.returncode == 1 and tool != "actionlint"
        if done.returncode > 1 or complained:
            failures[tool] = err.strip()[-2000:] or f"exit code {done.returncode}"
    return {**results, "failures": failures}


if __name__ == "__main__":
    at = sys.argv.index("--")
    Path(sys.argv[1]).write_text(json.dumps(lint(sys.argv[2], sys.argv[3:at], sys.argv[at + 1 :])))
