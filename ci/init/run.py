"""Holds what is known while a job is read: what its steps build, name, sign and hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ci.core.model import Attest
from ci.init.makefiles import Makefile
from ci.init.naming import Meta
from ci.init.released import Built
from ci.init.workflows import Job


@dataclass(kw_only=True, slots=True)
class Run:
    """What is known while one job goes on."""

    job: Job
    several: bool  # whether other events start other jobs that release
    known: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of scripts, where several are possible
    metas: dict[str, Meta] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # on what surrounds a build
    logged_in: bool = False
    scripts: list[str] = field(default_factory=list)
    place: str = ""
    condition: str = ""
    built: list[Built] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    identified: dict[str, int] = field(default_factory=dict)  # where in built is what a step of an identity builds
    bare: list[Built] = field(default_factory=list)  # what is built, each before it was named
    merged: list[str] = field(default_factory=list)  # names that an index of several images is given
    chosen: list[str] = field(default_factory=list)  # names that it may be given, which a script decides
    own_metas: set[str] = field(default_factory=set)  # the steps of metas that are its own
    attests: list[Attest] = field(default_factory=list)  # how it attests images
    signs: list[str] = field(default_factory=list)  # by what else it signs, and what to do


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """What the steps of workflows call, by its path."""

    makefiles: Mapping[str, Makefile] = field(default_factory=dict)
    bakes: Mapping[str, str] = field(default_factory=dict)
