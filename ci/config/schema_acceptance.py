"""What `validate` is told to accept, as JSON Schema."""

from __future__ import annotations

from ci.config import acceptance, checks
from ci.config.schema_parts import FILE, Schema, list_of, record, ref, text


def validate_schema() -> Schema:
    """Describe what `validate` is told."""
    properties = {
        "accept": list_of(ref("acceptance"), "Findings that are right as they are."),
        "baseline": text(
            FILE,
            "A file of findings that were there before: what `validate --format baseline` printed.",
            "deploy/validate-baseline.json",
        ),
    }
    return {"description": "It says which findings are no news.", **record(properties, (), acceptance.KEYS)}


def acceptance_schema() -> Schema:
    """Describe one finding that is accepted."""
    properties = {
        "rule": text(
            acceptance.RULE, "Its name as `validate` prints it; a star at the end: all that begin so.", "base-unpinned"
        ),
        "files": list_of(
            text(acceptance.GLOB),
            "Where it is accepted: paths, * within a folder's name and ** across folders; everywhere unless given.",
            ["images/**"],
        ),
        "reason": text(checks.LINE, "Why it is right.", "our mirror serves tags only"),
    }
    required, optional = acceptance.ACCEPT_REQUIRED, acceptance.ACCEPT_OPTIONAL
    return {"description": "It names a rule, and says why.", **record(properties, required, optional)}
