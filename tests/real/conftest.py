"""What all tests on the real engine share: one session for the whole run."""

import shutil
from collections.abc import AsyncIterator

import dagger
import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """Hold one client session with the real engine."""
    if not shutil.which("dagger"):
        pytest.fail("no dagger CLI on PATH; run the tests by `make test`")
    with (tmp_path_factory.mktemp("engine") / "session.log").open("w") as log:
        async with dagger.connection(dagger.Config(log_output=log)):
            yield
