"""The replication slot and the connector that reads it: how they are lost, and what Connect says of it."""

import psycopg

from tests.support.http import request_json, send
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

__all__ = ["connector_states", "drop_slot", "order_connector"]

_SECONDS = 60  # Connect changes the state of a connector within seconds, and is back at a slot as fast


def drop_slot(pipeline: Pipeline) -> None:
    """End the connector's replication connection and drop the slot before it is back."""
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:

        def dropped() -> bool:
            connection.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
            try:
                connection.execute("SELECT pg_drop_replication_slot('outbox_slot')")
            except psycopg.errors.ObjectInUse:
                return False
            return True

        wait_for(dropped, seconds=_SECONDS, what="the loss of the slot")


def connector_states(pipeline: Pipeline) -> list[str]:
    """Return the state of the connector and of its task."""
    status = request_json(f"{_connector(pipeline)}/status")
    return [status["connector"]["state"], *(each["state"] for each in status["tasks"])]


def order_connector(pipeline: Pipeline, what: str, state: str) -> None:
    """Give the connector an order, as a person does, and wait until it and its task are in the state it leads to."""
    send(f"{_connector(pipeline)}/{what}", method="PUT")
    wait_for(lambda: connector_states(pipeline) == [state, state], seconds=_SECONDS, what=f"a connector {state}")


def _connector(pipeline: Pipeline) -> str:
    return f"{pipeline.settings.connect_url}/connectors/outbox-connector"
