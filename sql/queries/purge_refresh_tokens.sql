-- name: purge_refresh_tokens
-- purpose: Forget refresh tokens that have expired; an expired one is refused without looking it up.
-- A revoked one stays as long as its login has another: it alone may be what says that the login has ended.
DELETE FROM refresh_tokens AS old
WHERE
    old.expires_at < now()
    AND (
        old.revoked_at IS NULL
        OR NOT EXISTS (SELECT FROM refresh_tokens AS t WHERE t.family = old.family AND t.expires_at >= now())
    )
