"""From a plan to tags: push, verify, name, move, or take back; and what was released before, promoted or verified.

Open `release.py` first: a release in its three steps. `deliver.py` is the way from a plan to it, `stage.py` and
`finish.py` are its two halves.
"""

from ci.release.cleaning import clean_up
from ci.release.collect import read_folders
from ci.release.deliver import build_unreleased, deliver
from ci.release.destination import Destination
from ci.release.files import CHECKSUMS, delivery_files, failure_files, stage_files, write_folder
from ci.release.finish import finish_staged, judge_checks
from ci.release.inspect import Looked, inspect
from ci.release.inspect_report import report_inspected
from ci.release.keeping import parse_keep
from ci.release.outcome import Delivery
from ci.release.preview import read_tags, render_live
from ci.release.promotion import promote
from ci.release.prune_report import report_pruned
from ci.release.registries import Registries
from ci.release.report import report_or_fail
from ci.release.reproduce import Wish, reproduce
from ci.release.reproduce_report import report_reproduced
from ci.release.request import ReleaseRequest, Staged, parse_created, parse_tags, tags_for
from ci.release.stage import Staging, check_part, stage_part
from ci.release.verification import verify

__all__ = [
    "CHECKSUMS",
    "Delivery",
    "Destination",
    "Looked",
    "Registries",
    "ReleaseRequest",
    "Staged",
    "Staging",
    "Wish",
    "build_unreleased",
    "check_part",
    "clean_up",
    "deliver",
    "delivery_files",
    "failure_files",
    "finish_staged",
    "inspect",
    "judge_checks",
    "parse_created",
    "parse_keep",
    "parse_tags",
    "promote",
    "read_folders",
    "read_tags",
    "render_live",
    "report_inspected",
    "report_or_fail",
    "report_pruned",
    "report_reproduced",
    "reproduce",
    "stage_files",
    "stage_part",
    "tags_for",
    "verify",
    "write_folder",
]
