"""What is wrong with a rule, in the parts that a message about a configuration is made of."""

from __future__ import annotations

from ci.core.errors import DrydockError


class RuleError(DrydockError):
    """A rule cannot be read: what is wrong, what is accepted, and the accepted word that is closest."""

    def __init__(self, message: str, *, accepted: str = "", nearest: str = "") -> None:
        self.message = message
        self.accepted = accepted
        self.nearest = nearest
        text = f"{message}; accepted: {accepted}" if accepted else message
        super().__init__(f"{text}; did you mean {nearest!r}?" if nearest else text)
