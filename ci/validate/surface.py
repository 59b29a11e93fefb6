"""What a call of this module can name: its functions and their arguments, as the CLI has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One argument of a function, as the CLI has it."""

    name: str  # such as "allow-older"
    flag: bool  # takes no value
    required: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """One function of the module, as the CLI has it."""

    name: str  # such as "build-all"; "" for the constructor
    parameters: Mapping[str, Parameter]
    ends: bool  # returns text, behind which nothing can be called


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """All that a call of the module can name."""

    module: str  # the name in dagger.json
    constructor: Function
    functions: Mapping[str, Function]
