-- name: load_rows
-- purpose: How many rows a source has among those stored since a time: a load must find its own signals and no others.
SELECT count(*) FROM signals WHERE ingest_ts >= %(since)s AND source = %(source)s
