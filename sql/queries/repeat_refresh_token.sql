-- name: repeat_refresh_token
-- purpose: A refresh token that was spent a moment ago, sent again: its login, and the successor that it has already.
-- A successor that was used in turn shows that its owner has it: then whoever repeats the old one is someone else.
SELECT spent.family, users.id, users.username, users.scopes, spent.successor
FROM refresh_tokens AS spent
INNER JOIN users ON spent.user_id = users.id
WHERE
    spent.jti = %(jti)s
    AND spent.used_at > now() - interval '5 seconds'
    AND spent.expires_at > now()
    AND NOT users.disabled
    AND NOT EXISTS (SELECT FROM refresh_tokens AS f WHERE f.family = spent.family AND f.revoked_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM refresh_tokens AS s WHERE s.jti = spent.successor AND s.used_at IS NOT NULL)
