-- name: purge_refresh_tokens
-- purpose: Forget refresh tokens that have expired; an expired one is refused without looking it up.
DELETE FROM refresh_tokens WHERE expires_at < now()
