"""A release, a stage or a finish in a process of its own, to be killed.

`python -m tests.real.release.victim publish PREFIX HOST...`, or `stage`, or `finish`, whose staged.json come by its
standard input, one a line.
"""

import asyncio
import sys

import dagger

from ci.release.folder import read_folder
from ci.release.outcome import Release
from tests.real.release import hand
from tests.real.release.conftest import NEW, make_commit, publish


async def main(what: str, prefix: str, hosts: tuple[str, ...]) -> Release:
    if what == "stage":
        done, _ = await hand.stage(hosts, prefix)
        return done
    if what == "finish":
        return await hand.finish(hosts, prefix, [read_folder(line, "it") for line in sys.stdin])
    async with dagger.connection(dagger.Config(log_output=None)):
        return await publish(await make_commit(*NEW), hosts, prefix)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1], sys.argv[2], tuple(sys.argv[3:]))).ok else 1)
