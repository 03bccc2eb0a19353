-- no-transaction
-- The slot exists before the first outbox row can, so no row is older than it. A slot cannot be created in a
-- transaction that has written, so this file is one statement that runs alone.
DO $$
DECLARE
    slot_name_wanted CONSTANT text := 'outbox_slot';
    owner_database text;
BEGIN
    IF current_setting('wal_level') <> 'logical' THEN
        RAISE EXCEPTION 'the server runs with wal_level = %, change data capture needs logical',
            current_setting('wal_level')
            USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Set wal_level = logical in postgresql.conf, restart the server and migrate again.';
    END IF;
    SELECT database INTO owner_database FROM pg_replication_slots WHERE slot_name = slot_name_wanted;
    IF owner_database IS NULL THEN
        PERFORM pg_create_logical_replication_slot(slot_name_wanted, 'pgoutput');
    ELSIF owner_database <> current_database() THEN
        RAISE EXCEPTION 'replication slot % belongs to database %', slot_name_wanted, owner_database
            USING ERRCODE = 'duplicate_object',
            HINT = 'Slots are shared by a server: give each pipeline its own server, or drop the slot of a dead one.';
    END IF;
END
$$;
