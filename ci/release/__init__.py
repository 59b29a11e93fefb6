"""From a plan to tags: push, verify, name, move, or take back; and what was released before, promoted or verified.

Open `release.py` first: a release in its three steps. `deliver.py` is the way from a plan to it.
"""

from ci.release.cleaning import clean_up
from ci.release.deliver import build_unreleased, deliver
from ci.release.destination import Destination
from ci.release.inspect import Looked, inspect
from ci.release.inspect_report import report_inspected
from ci.release.keeping import parse_keep
from ci.release.outcome import Delivery
from ci.release.preview import read_tags, render_live
from ci.release.promotion import promote
from ci.release.prune_report import report_pruned
from ci.release.report import render_checksums, report_or_fail
from ci.release.reproduce import Wish, reproduce
from ci.release.reproduce_report import report_reproduced
from ci.release.request import ReleaseRequest, parse_created, parse_tags, tags_for
from ci.release.verification import verify

__all__ = [
    "Delivery",
    "Destination",
    "Looked",
    "ReleaseRequest",
    "Wish",
    "build_unreleased",
    "clean_up",
    "deliver",
    "inspect",
    "parse_created",
    "parse_keep",
    "parse_tags",
    "promote",
    "read_tags",
    "render_checksums",
    "render_live",
    "report_inspected",
    "report_or_fail",
    "report_pruned",
    "report_reproduced",
    "reproduce",
    "tags_for",
    "verify",
]
