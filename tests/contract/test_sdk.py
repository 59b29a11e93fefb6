"""The embedded engine's SDK imports dagger-io in its own way: what a function then meets has to be the same."""

import json
import subprocess
import sys
from pathlib import Path

from graphql import build_schema, introspection_from_schema

SDK = Path(__file__).resolve().parents[2] / "deploy/engine/sdk"

WRONG_TYPES = """
import dagger
calls = [
    lambda: dagger.BuildArg(name=1, value="x"),
    lambda: dagger.dag.directory().with_new_file("name", 1),
    lambda: dagger.dag.directory().diff("a directory"),
    lambda: dagger.dag.container().with_exec("not a list"),
]
for call in calls * 2:
    try:
        call()
    except TypeError as error:
        print(error)
directory = dagger.dag.directory()
print(type(directory.diff(directory.with_new_file("name", "content"))))
"""

EVERY_CHECK = """
import inspect
from dagger.client import gen
made = 0
for value in vars(gen).values():
    for member in vars(value).values() if isinstance(value, type) else ():
        names = member.__code__.co_freevars if inspect.isfunction(member) else ()
        if "checked" in names:
            member.__closure__[names.index("checked")].cell_contents()
            made += 1
print(made)
"""


QUERIES = """
from dagger.client import _core
made = []
make = _core.make_converter
_core.make_converter = lambda context: made.append(context) or make(context)
{share}
container = dagger.dag.container(platform=dagger.Platform("linux/arm64")).from_("a:1").with_exec(
    ["b", "c"], expect=dagger.ReturnType.ANY
).with_exposed_port(1, protocol=dagger.NetworkProtocol.UDP).as_service(args=["d"])
print([(field.name, field.args) for field in container._ctx.selections])
context = container._ctx
for value, kind in ((1, int), ("x", dagger.ContainerID), (["y"], list[str]), ("UDP", dagger.NetworkProtocol)):
    print(repr(context.converter.structure(value, kind)))
print(type(context.converter.copy()).__name__)
print(len(made), file=sys.stderr)
"""


def python(code: str, *, quick: bool) -> str:
    before = f"import sys; sys.path.insert(0, {str(SDK)!r}); import launch\nwith launch.quick_import(): import dagger\n"
    command = [sys.executable, "-c", (before if quick else "") + code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_shared_converter_asks_and_reads_the_same() -> None:
    share = "from ci.core.sdk import share_converters; share_converters(); share_converters()"
    done = [
        subprocess.run(
            [sys.executable, "-c", f"import sys, dagger{QUERIES.format(share=lines)}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        for lines in ("", share)
    ]
    assert done[0].stdout == done[1].stdout
    eager, shared = (int(each.stderr.split()[-1]) for each in done)
    assert (shared, eager > shared) == (2, True)  # one for all, and one for what is no plain value


def test_wrong_types_are_refused_in_the_same_words() -> None:
    quick, eager = python(WRONG_TYPES, quick=True), python(WRONG_TYPES, quick=False)
    assert quick == eager.replace("typing.Self", "<class 'dagger.Directory'>")
    assert len(quick.splitlines()) == 9


def test_every_method_of_the_client_can_be_checked() -> None:
    assert int(python(EVERY_CHECK, quick=True)) > 500


def test_beartype_is_as_it_was_afterwards() -> None:
    code = "import beartype, ci.main\nprint(beartype.beartype.__module__)"
    assert python(code, quick=True) == python(code, quick=False)


def test_the_schema_is_taken_from_the_file(tmp_path: Path) -> None:
    """Without a word to the engine, which is not there."""
    schema = tmp_path / "schema.json"
    introspection = introspection_from_schema(build_schema("type Query { version: String! }"))
    schema.write_text(json.dumps({**introspection, "__schemaVersion": "v0.21.8"}))
    code = f"""
import asyncio, os, pathlib
os.environ |= {{"DAGGER_SESSION_PORT": "1", "DAGGER_SESSION_TOKEN": "none"}}
launch.take_schema(pathlib.Path({str(schema)!r}))
async def fields():
    async with await dagger.connect():
        schema = await dagger.dag._ctx.conn.session.get_schema()
        print(*schema.query_type.fields)
asyncio.run(fields())
"""
    assert python(code, quick=True) == "version\n"


def test_a_package_that_is_for_another_python_is_not_missed() -> None:
    """What pyproject.toml asks for may be a part of the Python that is there."""
    asked = ["Python_HCL2", "pyyaml>=1", "no-such.thing; python_version >= '3'", "no-other; python_version < '3'"]
    code = f"import sys; sys.path.insert(0, {str(SDK)!r}); import launch; print(launch._missing({asked!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['no-such.thing']"
