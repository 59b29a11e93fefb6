"""Reads what the module offers from the SDK's own registry of it."""

from __future__ import annotations

from dagger.mod import default_module

from ci.check_workflow import Function, Parameter, Surface


def read_surface(module: str, main: str = "Ci") -> Surface:
    """List the functions of the module's main object, and their arguments, as the CLI names them."""
    main_object = default_module().get_object(main)
    functions = {
        _kebab(name): Function(
            name=_kebab(name),
            parameters={
                _kebab(p.name): Parameter(name=_kebab(p.name), flag=p.resolved_type is bool, required=not p.is_optional)
                for p in function.parameters.values()
            },
            ends=function.return_type in (str, None, type(None)),
        )
        for name, function in main_object.functions.items()
        if name
    }
    constructor = main_object.get_constructor()
    parameters = {
        _kebab(p.name): Parameter(name=_kebab(p.name), flag=p.resolved_type is bool, required=not p.is_optional)
        for p in constructor.parameters.values()
    }
    return Surface(module=module, constructor=Function(name="", parameters=parameters, ends=False), functions=functions)


def _kebab(name: str) -> str:
    return name.replace("_", "-")
