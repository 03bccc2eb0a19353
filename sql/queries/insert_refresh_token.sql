-- name: insert_refresh_token
-- purpose: Remember a refresh token that is issued, and tell whether its user may still have one.
-- The lock makes whoever disables the user, or changes the password, wait and then see this token. The second of two
-- answers with the same token changes nothing.
WITH allowed AS (
    SELECT id FROM users
    WHERE
        id = %(user_id)s
        AND NOT disabled
        AND (%(password_hash)s::text IS NULL OR password_hash = %(password_hash)s)
    FOR SHARE
),

added AS (
    INSERT INTO refresh_tokens (jti, family, user_id, expires_at)
    SELECT %(jti)s, %(family)s, id, %(expires_at)s FROM allowed
    ON CONFLICT (jti) DO NOTHING
)

SELECT EXISTS (SELECT FROM allowed)
