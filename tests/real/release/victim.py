"""A release in a process of its own, to be killed: `python -m tests.real.release.victim PREFIX HOST...`."""

import asyncio
import sys

import dagger

from tests.real.release.conftest import NEW, make_commit, publish


async def main() -> None:
    async with dagger.connection(dagger.Config(log_output=None)):
        done = await publish(await make_commit(*NEW), tuple(sys.argv[2:]), sys.argv[1])
    sys.exit(0 if done.ok else 1)


if __name__ == "__main__":
    asyncio.run(main())
