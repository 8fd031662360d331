"""What every role answers on a port of its own: whether it lives, whether it is ready, and its metrics."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pipeline.observability.metrics import CONTENT_TYPE, Metrics
from pipeline.serving import serve

log = logging.getLogger(__name__)

CHECK_WITHIN_S: Final = 2.0

Check = Callable[[], str | Awaitable[str | None] | None]
"""Returns None when all is well, else the problem as a sentence that anybody may read."""


def build_health(
    checks: Mapping[str, Check],
    metrics: Metrics,
    *,
    moves: Callable[[], str | None] = lambda: None,
    within_s: float = CHECK_WITHIN_S,
) -> Starlette:
    """`/health/live`, `/health/ready`, `/metrics`; a check that takes longer than `within_s` has failed.

    `moves` says what stands still for good: then the role is not alive, for only a new process mends that.
    """

    async def live(_: Request) -> Response:
        # an answer at all shows that the event loop runs
        problem = moves()
        if problem is not None:
            return JSONResponse({"status": "not alive", "failing": {"moves": problem}}, 503)
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        reasons = await asyncio.gather(*(_reason(name, check, within_s) for name, check in checks.items()))
        failing = {name: reason for name, reason in zip(checks, reasons, strict=True) if reason is not None}
        if failing:
            return JSONResponse({"status": "not ready", "failing": failing}, 503)
        return JSONResponse({"status": "ok"})

    async def exposition(_: Request) -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", exposition)])


def serve_health(app: ASGIApp, host: str, port: int) -> AbstractAsyncContextManager[str]:
    """Answer until the block ends; port 0 is any free one. Gives the base URL. Raises CannotListen."""
    return serve(app, host, port)


async def _reason(name: str, check: Check, within_s: float) -> str | None:
    try:
        answer = check()
        async with asyncio.timeout(within_s):
            return await answer if inspect.isawaitable(answer) else answer
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except Exception as error:  # a broken check means not ready, not dead
        log.warning("the check %s broke", name, exc_info=True)
        return f"the check broke: {type(error).__name__}"
