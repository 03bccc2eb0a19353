-- name: revoke_api_key
-- purpose: Take an API key out of use for ever; no row when there is none of that name that is in use.
UPDATE api_keys SET revoked_at = now() WHERE name = %(name)s AND revoked_at IS NULL RETURNING id
