-- name: insert_refresh_token
-- purpose: Remember a refresh token that was issued; the second of two answers with the same token changes nothing.
INSERT INTO refresh_tokens (jti, family, user_id, expires_at)
VALUES (%(jti)s, %(family)s, %(user_id)s, %(expires_at)s)
ON CONFLICT (jti) DO NOTHING
