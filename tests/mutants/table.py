"""The seeded bugs. A refactoring that moves the code of one must move its edit along: a test applies them all."""

from tests.mutants.mutant import Edit, Mutant

__all__ = ["MUTANTS"]

_EMIT = "signal_pipeline/roles/emit.py"
_ANOMALIES = "signal_pipeline/store/anomalies.py"
_RECOVERY = "signal_pipeline/roles/recovery.py"
_DISPATCH = "signal_pipeline/trigger/dispatch.py"
_GUARANTEES = "tests/integration/trigger/test_guarantees.py"
_PARTITIONS = "tests/unit/trigger/test_dispatch_partitions.py"
_PRODUCER = "tests/integration/broker/test_producer.py"
_STORE = "tests/integration/store"

MUTANTS = (
    Mutant(
        name="commit-before-processing",
        bug="an offset may be committed as soon as its record is read",
        edits=(
            Edit(
                path="signal_pipeline/trigger/partition.py",
                old="        self.offsets.receive(pending.record.offset)\n",
                new="        self.offsets.receive(pending.record.offset)\n"
                "        self.offsets.resolve([pending.record.offset])\n",
            ),
        ),
        tests=(f"{_PARTITIONS}::test_a_failing_partition_blocks_no_other",),
    ),
    Mutant(
        name="acks-0",
        bug="the producer does not wait for the broker",
        edits=(
            Edit(
                path="signal_pipeline/broker/config.py",
                old='        "acks": "all",\n        "enable.idempotence": True,\n',
                new='        "acks": 0,\n        "enable.idempotence": False,\n',
            ),
        ),
        tests=(f"{_PRODUCER}::test_a_broker_that_falls_silent_leaves_the_outcome_unknown",),
    ),
    Mutant(
        name="202-before-the-report",
        bug="emit answers 202 while the records are still on their way",
        edits=(
            Edit(
                path=_EMIT, old="import random\nimport secrets\n", new="import asyncio\nimport random\nimport secrets\n"
            ),
            Edit(
                path=_EMIT,
                old="            outcomes = await self._connected().produce(records)\n",
                new="            self._report = asyncio.ensure_future(self._connected().produce(records))\n"
                "            outcomes = [None] * len(records)\n",
            ),
        ),
        tests=("tests/contract/test_emit.py::test_a_batch_without_any_acknowledgement",),
    ),
    Mutant(
        name="swallowed-produce-error",
        bug="a delivery report with an error counts as an acknowledgement",
        edits=(
            Edit(
                path="signal_pipeline/broker/producer.py",
                old="        self.outcomes[index] = None if error is None else _verdict(error)\n",
                new="        self.outcomes[index] = None\n",
            ),
        ),
        tests=(f"{_PRODUCER}::test_what_the_broker_refuses_is_not_acknowledged",),
    ),
    Mutant(
        name="no-unique-key",
        bug="nothing keeps a redelivered signal from becoming a second row",
        edits=(
            Edit(path="sql/migrations/0001_signals.sql", old="    id uuid PRIMARY KEY,", new="    id uuid NOT NULL,"),
            Edit(path="sql/migrations/0002_anomalies.sql", old=" REFERENCES signals (id)", new=""),
            Edit(
                path="sql/queries/upsert_signals.sql",
                old="""    ON CONFLICT (id) DO UPDATE
    SET
        user_id = excluded.user_id,
        type = excluded.type,
        event_ts = excluded.event_ts,
        ingest_ts = now(),
        payload = excluded.payload,
        extensions = excluded.extensions
    WHERE
        stored.source = excluded.source
        AND excluded.event_ts > stored.event_ts
        AND (stored.user_id, stored.type, stored.payload, own_extensions(stored.extensions))
        IS DISTINCT FROM (excluded.user_id, excluded.type, excluded.payload, own_extensions(excluded.extensions))
""",
                new="",
            ),
        ),
        tests=(f"{_STORE}/test_signals.py::test_exact_redelivery_changes_nothing",),
    ),
    Mutant(
        name="no-unique-anomaly",
        bug="one signal may break the same rule twice",
        edits=(
            Edit(
                path="sql/migrations/0002_anomalies.sql",
                old="    CONSTRAINT anomalies_signal_type_key UNIQUE (signal_event_id, anomaly_type)\n",
                new="    CONSTRAINT anomalies_signal_type_key CHECK (true)\n",
            ),
        ),
        tests=(f"{_STORE}/test_anomalies.py::test_the_id_of_an_anomaly_may_change_between_releases",),
    ),
    Mutant(
        name="outbox-outside-the-transaction",
        bug="the outbox rows are written after the anomalies are committed",
        edits=(
            Edit(
                path="sql/queries/insert_anomalies.sql",
                old="        )\n    FROM inserted\n)",
                new="        )\n    FROM inserted WHERE false\n)",
            ),
            Edit(
                path=_ANOMALIES,
                old="    return StoredAnomalies(inserted=inserted, signals=signals)\n",
                new="    outbox = (\n"
                '        "INSERT INTO outbox_events (aggregateid, subject, payload)"\n'
                '        " SELECT id::text, id::text, to_jsonb(a) FROM anomalies AS a WHERE id = ANY(%s)"\n'
                "    )\n"
                "    async with pool.connection() as connection:\n"
                "        await connection.execute(outbox, [list(inserted)])\n"
                "    return StoredAnomalies(inserted=inserted, signals=signals)\n",
            ),
        ),
        tests=(
            f"{_STORE}/test_anomalies.py::test_a_fault_after_the_anomalies_leaves_nothing",
            f"{_STORE}/test_anomalies.py::test_no_snapshot_holds_an_anomaly_without_its_outbox_row",
        ),
    ),
    Mutant(
        name="dead-letter-offset-before-its-ack",
        bug="an offset is resolved whether or not the dead-letter topic acknowledged",
        edits=(
            Edit(
                path="signal_pipeline/trigger/deadletter.py",
                old="        outcomes = await self._producer.produce([self._record(one) for one in doomed])\n",
                new="        for one in doomed:\n"
                "            one.fate = Fate.DURABLE\n"
                "        outcomes = await self._producer.produce([self._record(one) for one in doomed])\n",
            ),
        ),
        tests=(f"{_GUARANTEES}::test_without_a_dead_letter_topic_the_partition_stops_at_its_poison",),
    ),
    Mutant(
        name="replay-with-a-new-id",
        bug="what is replayed comes back as another event",
        edits=(
            Edit(path=_RECOVERY, old="from uuid import UUID\n", new="from uuid import UUID, uuid4\n"),
            Edit(
                path=_RECOVERY,
                old="    headers = [header for header in letter.headers if header[0] != ORIGIN_HEADER]\n",
                new="    headers = [\n"
                '        (name, str(uuid4()).encode() if name == "ce_id" else value)\n'
                "        for name, value in letter.headers\n"
                "        if name != ORIGIN_HEADER\n"
                "    ]\n",
            ),
        ),
        tests=("tests/integration/roles/test_recovery.py::test_due_letter_is_published_again",),
    ),
    Mutant(
        name="revoke-commits-in-flight",
        bug="a partition is given up with what is still being delivered committed",
        edits=(
            Edit(
                path=_DISPATCH,
                old="(offset := one.offsets.committable) is not None}",
                new="(offset := one.offsets._position) is not None}",
            ),
        ),
        tests=(f"{_PARTITIONS}::test_a_revoked_partition_commits_only_what_is_resolved",),
    ),
    Mutant(
        name="new-group-starts-at-latest",
        bug="a group without offsets skips what the topic holds",
        edits=(
            Edit(
                path="signal_pipeline/broker/config.py",
                old='"auto.offset.reset": offset_reset,',
                new='"auto.offset.reset": "latest",',
            ),
        ),
        tests=(f"{_GUARANTEES}::test_gaps_of_transactions_leave_no_lag",),
    ),
    Mutant(
        name="dedupe-by-id-alone",
        bug="two sources with the same id share a row",
        edits=(
            Edit(
                path="signal_pipeline/domain/signals.py",
                old="json.dumps([source, event_id], ",
                new="json.dumps([event_id], ",
            ),
        ),
        tests=("tests/unit/domain/test_signals.py::test_any_other_id_counts_within_its_source",),
    ),
    Mutant(
        name="retry-on-400",
        bug="what can never work is delivered for ever",
        edits=(
            Edit(
                path="signal_pipeline/trigger/verdicts.py",
                old="    400: _PERMANENT,\n",
                new="    400: (FailureClass.DEPENDENCY,),\n",
            ),
        ),
        tests=("tests/unit/trigger/test_verdicts.py::test_a_failed_delivery_has_the_class_of_its_status",),
    ),
    Mutant(
        name="culprit-fails-its-neighbours",
        bug="a write that fails whole for the sake of one request fails all that share it",
        edits=(
            Edit(
                path="signal_pipeline/serving/coalescing.py",
                old="len(batch) > 1 and not _passes(error)",
                new="False",
            ),
        ),
        tests=("tests/unit/serving/test_coalescing.py::test_a_culprit_fails_alone",),
    ),
)
