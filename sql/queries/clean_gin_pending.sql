-- name: clean_gin_pending
-- purpose: Merge the pending lists of the GIN indexes; return the pages that each held.
SELECT index_name, cleaned_pages FROM clean_gin_pending()
