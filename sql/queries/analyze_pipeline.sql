-- name: analyze_pipeline
-- purpose: Refresh statistics and BRIN summaries; return the number of ranges summarized.
SELECT analyze_pipeline()
