"""The floor of any call: a module whose only function does nothing."""

from dagger import function, object_type


@object_type
class Floor:
    """Does nothing."""

    # As those of drydock: otherwise the engine would answer without starting it.
    @function(cache="never")  # type: ignore[call-overload,untyped-decorator]  # the stub lacks `cache`
    def nothing(self) -> str:
        """Do nothing."""
        return ""
