"""Serves an ASGI application to strangers: the one HTTP server, with bounds."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.types import ASGIApp

from connectors.http.server import serving
from pipeline.bounded_http import BoundedConfig, ConnectionLimits

END_WITHIN_S: Final = 5
"""The time that open requests may take once the block ends."""


def serve(
    app: ASGIApp, host: str, port: int, limits: ConnectionLimits | None = None
) -> AbstractAsyncContextManager[str]:
    """Serve on `host:port` (0: any free port) until the block ends; yields the base URL. Raises CannotListen."""
    config = BoundedConfig(
        app,
        limits or ConnectionLimits(),
        loop="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=END_WITHIN_S,
    )
    return serving(config, host, port)
