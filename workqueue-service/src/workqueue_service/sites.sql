-- name: create_site
INSERT INTO site (owner_id, name, description, def_path, public, auth_type, auth_uri, user_ca_cert, service_ca_cert,
    transport, endpoints, home, login_required, max_transfers, bandwidth)
VALUES (%(owner_id)s, %(name)s, %(description)s, %(def_path)s, %(public)s, %(auth_type)s, %(auth_uri)s,
    %(user_ca_cert)s, %(service_ca_cert)s, %(transport)s, %(endpoints)s, %(home)s, %(login_required)s,
    %(max_transfers)s, %(bandwidth)s)
RETURNING id;

-- name: visible_sites
SELECT * FROM site WHERE public OR owner_id = %(user_id)s ORDER BY id;

-- name: visible_site
SELECT * FROM site WHERE id = %(id)s AND (public OR owner_id = %(user_id)s);

-- name: any_site
SELECT * FROM site WHERE id = %(id)s;

-- name: sites_by_id
SELECT * FROM site WHERE id = ANY(%(ids)s);

-- name: delete_site
DELETE FROM site WHERE id = %(id)s AND owner_id = %(user_id)s RETURNING id;

-- name: delete_sites_of_user
DELETE FROM site WHERE owner_id = %(user_id)s RETURNING id;

-- name: store_session
INSERT INTO site_session (site_id, user_id, username, sealed, expires_at)
VALUES (%(site_id)s, %(user_id)s, %(username)s, %(sealed)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (site_id, user_id) DO UPDATE
SET username = excluded.username, sealed = excluded.sealed, expires_at = excluded.expires_at;

-- name: session_of
SELECT username, expires_at, expires_at > now() AS valid FROM site_session
WHERE site_id = %(site_id)s AND user_id = %(user_id)s;

-- name: valid_sessions
-- What hand-outs carry: the log-ins of these users at these sites.
SELECT site_id, user_id, sealed FROM site_session
WHERE site_id = ANY(%(site_ids)s) AND user_id = ANY(%(user_ids)s) AND expires_at > now();

-- name: drop_session
DELETE FROM site_session WHERE site_id = %(site_id)s AND user_id = %(user_id)s;

-- name: drop_sessions_of_user
DELETE FROM site_session WHERE user_id = %(user_id)s;

-- name: prune_sessions
DELETE FROM site_session WHERE expires_at < now();
