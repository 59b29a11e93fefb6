"""Reads what the module offers from the SDK's own registry of it."""

from __future__ import annotations

from typing import Any  # whatever a function takes and returns

from dagger.mod import default_module
from dagger.mod._resolver import Function as Registered

from ci.validate.workflow import Function, Parameter, Surface


def read_surface(module: str, main: str = "Ci") -> Surface:
    """List the functions of the module's main object, and their arguments, as the CLI names them."""
    main_object = default_module().get_object(main)
    functions = {
        _kebab(name): Function(
            name=_kebab(name),
            parameters=_parameters(function),
            ends=function.return_type in (str, None, type(None)),
        )
        for name, function in main_object.functions.items()
        if name
    }
    constructor = Function(name="", parameters=_parameters(main_object.get_constructor()), ends=False)
    return Surface(module=module, constructor=constructor, functions=functions)


def _parameters(function: Registered[Any, Any]) -> dict[str, Parameter]:
    return {
        _kebab(p.name): Parameter(name=_kebab(p.name), flag=p.resolved_type is bool, required=not p.is_optional)
        for p in function.parameters.values()
    }


def _kebab(name: str) -> str:
    return name.replace("_", "-")
