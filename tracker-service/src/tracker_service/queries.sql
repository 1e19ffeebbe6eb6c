-- name: store_worker
-- A version that is stored already, or an older one, changes nothing and locks nothing for long.
INSERT INTO worker AS w (id, alias, paused, created, version)
VALUES (%(id)s, %(alias)s, %(paused)s, to_timestamp(%(created)s), %(version)s)
ON CONFLICT (id) DO UPDATE
SET alias = excluded.alias, paused = excluded.paused, created = excluded.created, version = excluded.version
WHERE w.version < excluded.version;

-- name: store_account
-- As store_worker.
INSERT INTO account AS a (id, username, tracker_admin, register_time, version)
VALUES (%(id)s, %(username)s, %(tracker_admin)s, to_timestamp(%(register_time)s), %(version)s)
ON CONFLICT (id) DO UPDATE
SET username = excluded.username, tracker_admin = excluded.tracker_admin,
    register_time = excluded.register_time, version = excluded.version
WHERE a.version < excluded.version;

-- name: tell_worker_changed
-- The notification leaves with the commit.
SELECT pg_notify(%(channel)s, %(id)s::bigint::text);

-- name: account_is_known
-- Whether a role can refer to the account.
SELECT id FROM account WHERE id = %(id)s;

-- name: worker_stats
-- All workers; the web page draws them all.
SELECT alias, closed_task_count, paused, id FROM worker ORDER BY id;

-- name: role_on
-- The bits of one account on one project.
SELECT role FROM project_role WHERE account = %(account)s AND project = %(project)s;

-- name: insert_log_entry
-- One row of a batch.
INSERT INTO log_entry (level, message, data, logged_at)
VALUES (%(level)s, %(message)s, %(data)s, to_timestamp(%(logged_at)s));

-- name: newest_log_entries
-- The index has this order.
SELECT message, extract(epoch FROM logged_at)::bigint AS timestamp, data, level
FROM log_entry
WHERE level = %(level)s AND logged_at > to_timestamp(%(since)s)
ORDER BY level, logged_at DESC, id DESC
LIMIT %(limit)s;

-- name: prune_log_entries
-- In pieces, so that no statement runs long.
DELETE FROM log_entry
WHERE id IN (
    SELECT id FROM log_entry
    WHERE stored_at < now() - make_interval(secs => %(seconds)s)
    ORDER BY stored_at LIMIT %(limit)s
);
