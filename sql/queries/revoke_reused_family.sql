-- name: revoke_reused_family
-- purpose: Revoke the login of a refresh token that was spent before; return its user.
WITH revoked AS (
    UPDATE refresh_tokens
    SET revoked_at = now()
    WHERE
        family = (SELECT family FROM refresh_tokens WHERE jti = %(jti)s AND used_at IS NOT NULL)
        AND revoked_at IS NULL
    RETURNING user_id
)

SELECT username FROM users WHERE id IN (SELECT user_id FROM revoked)
