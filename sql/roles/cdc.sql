-- Debezium: reads the published tables and beats. Its login role also needs the attribute REPLICATION.
GRANT SELECT ON outbox_events, debezium_heartbeat TO pipeline_cdc;
GRANT INSERT ON debezium_heartbeat TO pipeline_cdc;
