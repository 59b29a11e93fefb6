"""From a plan to tags: push, verify, name, move, or take back; and what was released before, promoted or verified.

Open `release.py` first: a release in its three steps. `deliver.py` is the way from a plan to it, `stage.py` and
`finish.py` are its two halves.
"""

from ci.release.bundles import PROVENANCE
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
from ci.release.search import MAX_BUNDLE, Store, Stored, find_missing, shown
from ci.release.signed import promise_signed
from ci.release.signers import Judge, Signers
from ci.release.stage import Staging, check_part, stage_part
from ci.release.trust import Trust
from ci.release.verification import verify

__all__ = [
    "CHECKSUMS",
    "MAX_BUNDLE",
    "PROVENANCE",
    "Delivery",
    "Destination",
    "Judge",
    "Looked",
    "Registries",
    "ReleaseRequest",
    "Signers",
    "Staged",
    "Staging",
    "Store",
    "Stored",
    "Trust",
    "Wish",
    "build_unreleased",
    "check_part",
    "clean_up",
    "deliver",
    "delivery_files",
    "failure_files",
    "find_missing",
    "finish_staged",
    "inspect",
    "judge_checks",
    "parse_created",
    "parse_keep",
    "parse_tags",
    "promise_signed",
    "promote",
    "read_folders",
    "read_tags",
    "render_live",
    "report_inspected",
    "report_or_fail",
    "report_pruned",
    "report_reproduced",
    "reproduce",
    "shown",
    "stage_files",
    "stage_part",
    "tags_for",
    "verify",
    "write_folder",
]
