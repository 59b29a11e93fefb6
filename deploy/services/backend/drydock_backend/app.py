"""The HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from drydock_backend.jobs import InvalidJobError, parse_job
from drydock_backend.settings import Settings
from drydock_backend.worker import Answer, Worker, error_answer


def make_app(settings: Settings) -> Starlette:
    """Build the application; it opens its connections when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # trust_env: the worker is next door, never behind a proxy.
        async with httpx.AsyncClient(trust_env=False) as client:
            app.state.worker = Worker(client, url=settings.worker_url, timeout=settings.worker_timeout)
            yield

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "version": settings.version, "revision": settings.revision})

    async def predictions(request: Request) -> JSONResponse:
        answer = await _predict(request, settings.body_limit)
        return JSONResponse(answer.document, answer.status)

    routes = [
        Route("/api/v1/health", health),
        Route("/api/v1/predictions", predictions, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _predict(request: Request, body_limit: int) -> Answer:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > body_limit:
                message = f"the body is larger than {body_limit} bytes"
                return error_answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        job = parse_job(bytes(body))
    except ClientDisconnect:
        return error_answer(HTTPStatus.BAD_REQUEST, "the body ended early")
    except InvalidJobError as error:
        return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    worker: Worker = request.app.state.worker
    return await worker.predict(job)
