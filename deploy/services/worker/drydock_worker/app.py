"""The HTTP interface."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from drydock_worker.jobs import MAX_BODY, InvalidJobError, parse_inputs
from drydock_worker.model import Model
from drydock_worker.settings import Settings


def make_app(settings: Settings, model: Model) -> Starlette:
    """Build the application around a loaded model."""

    async def health(_: Request) -> JSONResponse:
        return JSONResponse(
            {
                "status": "ok",
                "version": settings.version,
                "revision": settings.revision,
                "providers": model.providers,
                "device": model.device,
            }
        )

    async def predict(request: Request) -> JSONResponse:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} bytes")
            rows = parse_inputs(bytes(body))
        except ClientDisconnect:
            return _error(HTTPStatus.BAD_REQUEST, "the body ended early")
        except InvalidJobError as error:
            return _error(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        outputs = await run_in_threadpool(model.predict, rows)
        return JSONResponse({"outputs": outputs, "provider": model.provider})

    return Starlette(routes=[Route("/health", health), Route("/predict", predict, methods=["POST"])])


def _error(status: HTTPStatus, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
