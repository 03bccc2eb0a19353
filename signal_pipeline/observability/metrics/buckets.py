"""The bounds of the histograms, each with its reason."""

from typing import Final

__all__ = ["AGE_SECONDS", "BATCH_EVENTS", "CALL_SECONDS", "RECOVERY_SECONDS"]

# Produce and database calls take 1 ms to some seconds; below and above that the exact value changes no decision.
CALL_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# From the event's time to its effect: seconds while live, hours for late events and after an outage.
AGE_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
# The first replay is due after a minute, the last after hours.
RECOVERY_SECONDS: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
BATCH_EVENTS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
