"""`outbox reconnect`: after the loss of the replication slot the connector begins anew.

slot missing ──────────────────────▶ reset the connector ──▶ Debezium makes a slot, sends what nobody confirmed
     │ lost: its log was deleted ──▶ drop it ──▲
     └ neither: refuse, unless told otherwise
"""

import asyncio

from signal_pipeline.broker.connector_reset import reset_connector
from signal_pipeline.errors import Conflict
from signal_pipeline.settings import Settings
from signal_pipeline.store.outbox import drop_lost_slot, outbox_state
from signal_pipeline.store.pool import Pool

__all__ = ["reconnect"]


def reconnect(settings: Settings, *, force: bool) -> None:
    """Let the connector begin anew.

    Args:
        settings: Where PostgreSQL and Kafka Connect are.
        force: Even though the slot is there; every unconfirmed row is then sent again.

    Raises:
        Conflict: the slot is there: the connector can go on where it was.
        PipelineError: PostgreSQL or Connect does not answer; the command can be repeated.
    """
    asyncio.run(_make_way(settings, force=force))
    reset_connector(settings)


async def _make_way(settings: Settings, *, force: bool) -> None:
    pool = Pool(settings.database_url.get_secret_value(), application_name="outbox-reconnect", size=1)
    try:
        if (await outbox_state(pool)).slot_active is not None and not force:
            raise Conflict(
                "the replication slot is there, so the connector can go on where it was: make debezium-config; "
                "--force begins anew all the same"
            )
        await drop_lost_slot(pool)
    finally:
        await pool.close()
