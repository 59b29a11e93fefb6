"""The value of a secret is found wherever an image or its provenance would show it."""

import pytest

from ci.build.leaks import refuse_leaks
from ci.core.attestations import Statement
from ci.core.errors import DrydockError

SECRET = "planted-40871"


@pytest.mark.parametrize(
    ("options", "dockerfile", "predicate", "place"),
    [
        ({"build-arg:TOKEN": SECRET}, "", {}, "the build argument TOKEN"),
        ({"build-arg:URL": f"https://x:{SECRET}@git.test"}, "", {}, "the build argument URL"),
        ({"label:org.example.a": SECRET}, "", {}, "the label org.example.a"),
        ({"context:base": f"docker-image://{SECRET}"}, "", {}, "the named context base"),
        ({f"build-arg:{SECRET}": "1"}, "", {}, "an option of the build"),
        ({"add-hosts": f"{SECRET}=1.2.3.4"}, "", {}, "an option of the build"),
        ({}, f"FROM x\nENV A={SECRET}\n", {}, "the Dockerfile"),
        ({}, "", {"runDetails": {"x": SECRET}}, r"the provenance \(runDetails.x\)"),
    ],
)
def test_a_value_that_would_be_shown_is_refused(
    options: dict[str, str], dockerfile: str, predicate: dict[str, object], place: str
) -> None:
    statement = Statement(predicate_type="", subjects=(), predicate=predicate)
    with pytest.raises(DrydockError, match=f"the value of a build secret stands in {place}: whoever") as refused:
        refuse_leaks([SECRET], options, dockerfile, statement)
    assert SECRET not in str(refused.value)


def test_names_of_secrets_and_short_values_are_no_leaks() -> None:
    options = {"build-arg:DEBUG": "true", "filename": "Dockerfile"}
    refuse_leaks(["true", "1", SECRET], options, "RUN --mount=type=secret,id=TOKEN x\n")
