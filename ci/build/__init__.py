"""A plan's variants, built, smoke-checked and weighed, and what each of them is made from.

Open `pipeline.py` first: it takes every variant of a plan from its Dockerfile to its outcome.
"""

from ci.build.addresses import parse_builders
from ci.build.buildkit import Made
from ci.build.command import CacheUse
from ci.build.definition import Definition, read_definitions
from ci.build.inputs import INPUTS, Inputs, digest_inputs, why_not_reusable
from ci.build.needs import find_missing
from ci.build.pinning import find_base, pin_bases
from ci.build.pins import Pins
from ci.build.pipeline import Builder, Built, build_all
from ci.build.remote import Fleet, Remotes
from ci.build.report import Report, report_or_fail
from ci.build.smoke import smoke_variant

__all__ = [
    "INPUTS",
    "Builder",
    "Built",
    "CacheUse",
    "Definition",
    "Fleet",
    "Inputs",
    "Made",
    "Pins",
    "Remotes",
    "Report",
    "build_all",
    "digest_inputs",
    "find_base",
    "find_missing",
    "parse_builders",
    "pin_bases",
    "read_definitions",
    "report_or_fail",
    "smoke_variant",
    "why_not_reusable",
]
