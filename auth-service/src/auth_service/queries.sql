-- name: insert_worker
-- A new worker.
INSERT INTO worker (alias, secret_hash, secret_sealed)
VALUES (%(alias)s, %(secret_hash)s, %(secret_sealed)s)
RETURNING id, alias, paused, version, floor(extract(epoch FROM created_at))::bigint AS created;

-- name: worker
-- One worker.
SELECT id, alias, paused, version, floor(extract(epoch FROM created_at))::bigint AS created
FROM worker WHERE id = %(id)s;

-- name: worker_with_hash
-- One worker and what its secret must hash to.
SELECT id, alias, paused, version, floor(extract(epoch FROM created_at))::bigint AS created, secret_hash
FROM worker WHERE id = %(id)s;

-- name: worker_sealed_secret
-- The encrypted secret, for tracker admins.
SELECT secret_sealed FROM worker WHERE id = %(id)s;

-- name: rename_worker
-- A new alias.
UPDATE worker SET alias = %(alias)s, version = version + 1
WHERE id = %(id)s
RETURNING id, alias, paused, version, floor(extract(epoch FROM created_at))::bigint AS created;

-- name: set_worker_paused
-- Pause or resume; the version grows even when nothing changes, so that a repeated call heals a reader that missed it.
UPDATE worker SET paused = %(paused)s, version = version + 1
WHERE id = %(id)s
RETURNING id, alias, paused, version, floor(extract(epoch FROM created_at))::bigint AS created;

-- name: lock_registrations
-- One registration at a time, so that exactly one finds the table empty (spec: tracker Q-45).
SELECT pg_advisory_xact_lock(1851878765);

-- name: insert_account
-- A new account; the first one is tracker admin. Needs lock_registrations in a statement before.
INSERT INTO account (username, password_hash, tenant, tracker_admin)
VALUES (%(username)s, %(password_hash)s, %(tenant)s, NOT EXISTS (SELECT 1 FROM account))
RETURNING id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time;

-- name: account
-- One account.
SELECT id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time
FROM account WHERE id = %(id)s;

-- name: accounts
-- Every account.
SELECT id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time
FROM account ORDER BY id;

-- name: account_with_password
-- One account by its name, with the hash of its password.
SELECT id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time,
       password_hash
FROM account WHERE username = %(username)s;

-- name: replace_password_hash
-- The same password under newer parameters, unless another process was faster.
UPDATE account SET password_hash = %(new)s WHERE id = %(id)s AND password_hash = %(old)s;

-- name: set_tracker_admin
-- Promote or demote; no row when there is nothing to change.
UPDATE account SET tracker_admin = %(tracker_admin)s, version = version + 1
WHERE id = %(id)s AND tracker_admin <> %(tracker_admin)s
RETURNING id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time;

-- name: insert_session
-- A session begins.
INSERT INTO session (token_hash, account_id, expires_at)
VALUES (%(token_hash)s, %(account_id)s, now() + make_interval(secs => %(seconds)s));

-- name: session_account
-- The account of a running session, as it is now (spec: tracker Q-09).
SELECT id, username, tracker_admin, tenant, version, floor(extract(epoch FROM registered_at))::bigint AS register_time
FROM session JOIN account ON account.id = session.account_id
WHERE token_hash = %(token_hash)s AND expires_at > now();

-- name: delete_session
-- A session ends.
DELETE FROM session WHERE token_hash = %(token_hash)s;

-- name: insert_api_key
-- A new key of an account or a worker.
INSERT INTO api_key (key_hash, name, account_id, worker_id, expires_at)
VALUES (%(key_hash)s, %(name)s, %(account_id)s, %(worker_id)s, to_timestamp(%(expires_at)s::bigint))
RETURNING id, name, floor(extract(epoch FROM created_at))::bigint AS created_at,
          floor(extract(epoch FROM expires_at))::bigint AS expires_at;

-- name: api_keys
-- The keys of one account or worker.
SELECT id, name, floor(extract(epoch FROM created_at))::bigint AS created_at,
       floor(extract(epoch FROM expires_at))::bigint AS expires_at
FROM api_key
WHERE account_id = %(account_id)s OR worker_id = %(worker_id)s
ORDER BY id;

-- name: delete_api_key
-- Revoke a key of one account or worker.
DELETE FROM api_key
WHERE id = %(id)s AND (account_id = %(account_id)s OR worker_id = %(worker_id)s)
RETURNING id, name;

-- name: api_key_owner
-- Who a valid key belongs to, and for how many seconds it stays valid.
SELECT account_id, worker_id, extract(epoch FROM expires_at - now())::float8 AS seconds_left
FROM api_key
WHERE key_hash = %(key_hash)s AND (expires_at IS NULL OR expires_at > now());

-- name: lock_signing_keys
-- One process at a time makes a key.
SELECT pg_advisory_xact_lock(1851878766);

-- name: signing_keys
-- Every published key, the one that signs first. By the clock: who waited for the lock began before the key was made.
SELECT kid, public_key, private_sealed, active_from <= clock_timestamp() AS active
FROM signing_key
WHERE ends_at IS NULL OR ends_at > now()
ORDER BY active_from DESC, kid;

-- name: insert_signing_key
-- A new key, published at once.
INSERT INTO signing_key (kid, public_key, private_sealed, active_from)
VALUES (%(kid)s, %(public_key)s, %(private_sealed)s, now() + make_interval(secs => %(delay)s));

-- name: retire_signing_keys
-- Older keys stay published until the last token that they may sign has ended.
UPDATE signing_key SET ends_at = now() + make_interval(secs => %(seconds)s)
WHERE kid <> %(kid)s AND ends_at IS NULL;

-- name: signing_key_age
-- Seconds since the newest key was made; no row without a key.
SELECT extract(epoch FROM now() - created_at)::float8 AS age
FROM signing_key ORDER BY created_at DESC LIMIT 1;

-- name: login_wait
-- Seconds until this name may be tried again from this address; no row when it may be tried now.
SELECT extract(epoch FROM first_at + make_interval(secs => %(window)s) - now())::float8 AS wait
FROM failed_login
WHERE key = %(key)s AND failures >= %(limit)s AND first_at + make_interval(secs => %(window)s) > now();

-- name: count_failed_login
-- One more failure; the count starts anew after the window.
INSERT INTO failed_login AS old (key, failures, first_at) VALUES (%(key)s, 1, now())
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN old.first_at + make_interval(secs => %(window)s) > now() THEN old.failures + 1 ELSE 1 END,
    first_at = CASE WHEN old.first_at + make_interval(secs => %(window)s) > now() THEN old.first_at ELSE now() END;

-- name: forget_failed_logins
-- A good password clears the count.
DELETE FROM failed_login WHERE key = %(key)s;

-- name: prune_sessions
-- Sessions that have ended.
DELETE FROM session WHERE expires_at < now();

-- name: prune_api_keys
-- Keys that ended a week ago; until then their owner still sees them.
DELETE FROM api_key WHERE expires_at < now() - interval '7 days';

-- name: prune_signing_keys
-- Keys under which no valid token is left.
DELETE FROM signing_key WHERE ends_at < now();

-- name: prune_failed_logins
-- Counts whose window is over.
DELETE FROM failed_login WHERE first_at < now() - make_interval(secs => %(window)s);

-- name: insert_audit
-- A login tells only the name: the account of that name is looked up now.
INSERT INTO audit (event_id, type, subject, happened_at, account_id, worker_id, username, address, by_account, data)
VALUES (%(event_id)s, %(type)s, %(subject)s, %(happened_at)s,
        coalesce(%(account)s, (SELECT id FROM account WHERE username = %(username)s)),
        %(worker)s, %(username)s, %(address)s, %(by)s, %(data)s);

-- name: audit
-- Newest first; a part that is not given does not count.
SELECT id, type, subject, to_char(happened_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, account_id AS account,
       worker_id AS worker, username, address, by_account AS by, data
FROM audit
WHERE (%(type)s::text IS NULL OR type = %(type)s)
  AND starts_with(type, %(prefix)s)
  AND (%(since)s::timestamptz IS NULL OR happened_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR happened_at < %(until)s)
  AND (%(account)s::bigint IS NULL OR account_id = %(account)s OR by_account = %(account)s)
  AND (%(worker)s::bigint IS NULL OR worker_id = %(worker)s)
  AND (%(username)s::text IS NULL OR username = %(username)s)
  AND (%(address)s::text IS NULL OR address = %(address)s)
  AND (%(after)s::bigint IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(limit)s;

-- name: prune_audit
-- In pieces, so that no lock is held for long.
DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE happened_at < now() - make_interval(secs => %(seconds)s) LIMIT %(limit)s
);
