import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus

import httpx
import pytest
from drydock_backend.jobs import MAX_ROWS, InvalidJobError, Job, parse_job
from drydock_backend.settings import SettingsError, read_settings
from drydock_backend.worker import Answer, Worker

JOB = Job(inputs=[[0.0, 1.0]])


def test_every_setting_has_a_default() -> None:
    settings = read_settings({})
    assert (settings.port, settings.version, settings.revision) == (8000, "unknown", "unknown")


def test_settings_come_from_the_environment() -> None:
    env = {"PORT": "9000", "WORKER_URL": "http://worker:5002/", "WORKER_TIMEOUT": "5", "DRYDOCK_VERSION": "1.2.3"}
    settings = read_settings(env)
    assert (settings.port, settings.worker_url, settings.worker_timeout) == (9000, "http://worker:5002", 5)
    assert settings.version == "1.2.3"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", ""),
        ("PORT", "\u0663"),
        ("PORT", "9" * 5000),
        ("WORKER_TIMEOUT", "soon"),
        ("WORKER_URL", "worker:5003"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value})


def test_a_job_is_read() -> None:
    assert parse_job(b'{"inputs": [[0, 1.5], [2, 3]]}').inputs == [[0, 1.5], [2, 3]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "one key"),
        (b'{"inputs": [[1]], "model": "x"}', "one key"),
        (b'{"inputs": 1}', "list of 1 to"),
        (b'{"inputs": []}', "list of 1 to"),
        (b'{"inputs": [1]}', r"inputs\[0\]"),
        (b'{"inputs": [[1], []]}', r"inputs\[1\]"),
        (b'{"inputs": [["1"]]}', r"inputs\[0\]"),
        (b'{"inputs": [[true]]}', r"inputs\[0\]"),
        (b'{"inputs": [[NaN]]}', r"inputs\[0\]"),
        (b'{"inputs": [[1e999]]}', r"inputs\[0\]"),
        (json.dumps({"inputs": [[1]] * (MAX_ROWS + 1)}).encode(), "list of 1 to"),
    ],
)
def test_a_bad_job_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidJobError, match=message):
        parse_job(body)


async def ask(handler: Callable[[httpx.Request], object], *, limit: float = 1.0) -> Answer:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:  # type: ignore[arg-type]
        return await Worker(client, url="http://worker:5003", timeout=limit).predict(JOB)


async def test_the_worker_gets_the_job_and_its_answer_is_passed_on() -> None:
    seen: list[tuple[str, bytes]] = []

    def worker(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.content))
        return httpx.Response(200, json={"outputs": [[1.0]], "provider": "CPUExecutionProvider"})

    answer = await ask(worker)
    assert seen == [("http://worker:5003/predict", b'{"inputs":[[0.0,1.0]]}')]
    assert answer.status == HTTPStatus.OK
    assert answer.document == {"outputs": [[1.0]], "provider": "CPUExecutionProvider"}


async def test_the_worker_may_refuse_a_job() -> None:
    answer = await ask(lambda _: httpx.Response(422, json={"error": "inputs[0] must be 2 numbers"}))
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.document == {"error": "inputs[0] must be 2 numbers"}


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(500, json={"error": "inside"}),
        httpx.Response(200, json={"other": 1}),
        httpx.Response(200, text="<html>"),
        httpx.Response(422, json=["inputs"]),
        httpx.Response(302, headers={"location": "/elsewhere"}),
    ],
)
async def test_an_answer_without_a_prediction_is_a_bad_gateway(response: httpx.Response) -> None:
    answer = await ask(lambda _: response)
    assert answer.status == HTTPStatus.BAD_GATEWAY
    assert "no prediction" in str(answer.document)


async def test_a_worker_that_is_away_is_a_bad_gateway() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    answer = await ask(refuse)
    assert answer == Answer(status=HTTPStatus.BAD_GATEWAY, document={"error": "the worker cannot be reached"})


async def test_a_slow_worker_is_a_gateway_timeout() -> None:
    async def wait(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    answer = await ask(wait, limit=0.02)
    assert answer.status == HTTPStatus.GATEWAY_TIMEOUT
    assert "0.02 s" in str(answer.document)
