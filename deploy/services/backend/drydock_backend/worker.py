"""Hands jobs to the worker, and turns what can go wrong there into answers of this service."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from drydock_backend.jobs import Job

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the client gets: a status and a JSON document."""

    status: HTTPStatus
    document: object


def error_answer(status: HTTPStatus, message: str) -> Answer:
    """Describe a failure in the one form that all errors of this service have."""
    return Answer(status=status, document={"error": message})


class Worker:
    """A worker behind HTTP."""

    def __init__(self, client: httpx.AsyncClient, *, url: str, timeout: float) -> None:
        self._client = client
        self._url = f"{url}/predict"
        self._timeout = timeout

    async def predict(self, job: Job) -> Answer:
        """Hand over one job; whatever comes of it is an answer, never an exception."""
        try:
            # The client's own timeouts are per read: a worker that drips would never meet one.
            async with asyncio.timeout(self._timeout):
                response = await self._client.post(self._url, json={"inputs": job.inputs}, timeout=None)
        except TimeoutError:
            logger.warning("the worker gave no answer within %g s", self._timeout)
            message = f"the worker gave no answer within {self._timeout:g} s"
            return error_answer(HTTPStatus.GATEWAY_TIMEOUT, message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.warning("the worker cannot be reached: %s", error or type(error).__name__)
            return error_answer(HTTPStatus.BAD_GATEWAY, "the worker cannot be reached")
        return _translate(response)


def _translate(response: httpx.Response) -> Answer:
    try:
        document = response.json()
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and "outputs" in document and response.status_code == HTTPStatus.OK:
        return Answer(status=HTTPStatus.OK, document=document)
    if isinstance(document, dict) and response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        # The job is at fault, and only the worker knows its model well enough to say how.
        return Answer(status=HTTPStatus.UNPROCESSABLE_ENTITY, document=document)
    logger.warning("the worker answered with status %d and no prediction", response.status_code)
    message = f"the worker answered with status {response.status_code} and no prediction"
    return error_answer(HTTPStatus.BAD_GATEWAY, message)
