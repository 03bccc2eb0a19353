"""What was seen while a load ran: values only, filled by the observer, judged by the invariants about moments.

A sample asks in this order: committed offsets, then stores, then everything else. What a commit covers must therefore
be in the stores of the same sample, or, when those did not answer, of the next sample in which they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

__all__ = ["Bounds", "History", "Part", "Sample"]

# Consumer group, topic, partition.
Part = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was seen at one moment; None, or no entry, where nobody answered.

    Attributes:
        commits: Committed offset of each group and partition that has one.
        stored: Ids of the signals in scope that had a row.
        detected: Ids of those that had an anomaly.
        letters: Log end of each dead-letter and quarantine topic.
        pages: By role, the samples of its metrics page, labels included in the name.
        connections: Database connections by application name.
        wal_bytes: Write-ahead log that each replication slot retains.
    """

    commits: Mapping[Part, int] | None = None
    stored: frozenset[UUID] | None = None
    detected: frozenset[UUID] | None = None
    letters: Mapping[str, int] | None = None
    pages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    connections: Mapping[str, int] | None = None
    wal_bytes: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What no sample may exceed.

    Attributes:
        memory_bytes: Resident memory of one process.
        connections: Database connections of one function.
        requests: Requests that a function answers at once.
        events: Events that a trigger delivers at once, by role.
        wal_bytes: Write-ahead log that a slot retains.
    """

    memory_bytes: int
    connections: int
    requests: int
    events: Mapping[str, int]
    wal_bytes: int


@dataclass(frozen=True, kw_only=True)
class History:
    """A run as the observer saw it.

    Attributes:
        samples: In order; the first was taken before the load, the last after it settled.
        log_start: Log end of each partition of `signal-events` when the observation began.
        bounds: What no sample may exceed.
        calm: Nothing was hurt meanwhile, so counters must be exact.
    """

    samples: tuple[Sample, ...]
    log_start: Mapping[int, int]
    bounds: Bounds
    calm: bool = False
