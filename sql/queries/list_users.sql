-- name: list_users
-- purpose: All users, with the number of their logins that go on.
SELECT
    u.username, u.scopes, u.disabled, u.created_at, u.password_changed_at,
    count(DISTINCT t.family) FILTER (WHERE t.expires_at > now() AND NOT login_has_ended(t.family)) AS logins
FROM users AS u
LEFT JOIN refresh_tokens AS t ON u.id = t.user_id
GROUP BY u.id
ORDER BY u.username
