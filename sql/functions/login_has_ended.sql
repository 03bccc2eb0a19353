-- Whether tokens of a login are refused: it was revoked, its user is disabled, or nobody knows it (any more).
-- The functions that ask see nothing else of logins and users.
CREATE OR REPLACE FUNCTION login_has_ended(login uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    owner uuid;
BEGIN
    SELECT t.user_id INTO owner FROM refresh_tokens AS t WHERE t.family = login LIMIT 1;
    RETURN owner IS NULL
        OR EXISTS (SELECT FROM refresh_tokens AS t WHERE t.family = login AND t.revoked_at IS NOT NULL)
        OR EXISTS (SELECT FROM users AS u WHERE u.id = owner AND u.disabled);
END
$$;
