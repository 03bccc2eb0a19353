"""What the roles that write to PostgreSQL have in common."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar, Final

from prometheus_client import CollectorRegistry

from signal_pipeline.observability.metrics import PoolMetrics
from signal_pipeline.serving.function import Function
from signal_pipeline.settings import Settings
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool

__all__ = ["DatabaseFunction"]

_PROBE_SECONDS: Final = 1.5  # a server that is up answers within milliseconds; probes of platforms give up after 2 or 3


class DatabaseFunction(Function):
    """A role with a connection pool; ready when PostgreSQL answers."""

    writes_together: ClassVar[bool] = True

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self.pool = Pool(
            settings.database_url.get_secret_value(), application_name=self.name, size=settings.database_pool_size
        )
        PoolMetrics(registry, self.pool.usage)

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()

    async def check(self) -> Mapping[str, str | None]:
        """Return whether PostgreSQL answers, before the pool gives up: a probe has less patience than a request."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self.pool.ping()
        except StoreError as exc:
            return {"postgres": exc.failure.detail}
        except TimeoutError:
            return {"postgres": f"no answer within {_PROBE_SECONDS} s"}
        return {"postgres": None}
