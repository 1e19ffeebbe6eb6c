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

-- name: find_project
-- In the order and under the names of the wire.
SELECT id, priority, name, clone_url, git_repo, version, motd, public, hidden, coalesce(chain, 0) AS chain, paused,
       assign_rate, submit_rate
FROM project WHERE id = %(id)s;

-- name: visible_projects
-- Hidden ones only for whom READ or admin lets see them.
SELECT id, priority, name, clone_url, git_repo, version, motd, public, hidden, coalesce(chain, 0) AS chain, paused,
       assign_rate, submit_rate
FROM project AS p
WHERE NOT hidden OR %(admin)s OR EXISTS (
    SELECT FROM project_role AS r WHERE r.account = %(account)s AND r.project = p.id AND r.role & 1 = 1
)
ORDER BY name;

-- name: lock_project
-- For changes of the project and of what depends on it; foreign keys of new tasks do not wait for this.
SELECT id, public FROM project WHERE id = %(id)s FOR NO KEY UPDATE;

-- name: insert_project
-- The secret and the key of the hook come from their defaults.
INSERT INTO project
    (name, priority, clone_url, git_repo, version, motd, public, hidden, chain, assign_rate, submit_rate)
VALUES
    (%(name)s, %(priority)s, %(clone_url)s, %(git_repo)s, %(version)s, %(motd)s, %(public)s, %(hidden)s, %(chain)s,
     %(assign_rate)s, %(submit_rate)s)
RETURNING id;

-- name: replace_project
-- Every field that a manager can set.
UPDATE project
SET name = %(name)s, priority = %(priority)s, clone_url = %(clone_url)s, git_repo = %(git_repo)s,
    version = %(version)s, motd = %(motd)s, public = %(public)s, hidden = %(hidden)s, chain = %(chain)s,
    paused = %(paused)s, assign_rate = %(assign_rate)s, submit_rate = %(submit_rate)s
WHERE id = %(id)s;

-- name: lock_chains
-- One change of a chain at a time: advisory lock 0x7403.
SELECT pg_advisory_xact_lock(29699);

-- name: chain_leads_to
-- Whether following the chains from "start" comes to "project"; UNION ends the walk on loops of old times.
WITH RECURSIVE walk (id) AS (
    SELECT %(start)s::bigint
    UNION
    SELECT p.chain FROM walk JOIN project AS p USING (id) WHERE p.chain IS NOT NULL
)
SELECT id FROM walk WHERE id = %(project)s;

-- name: insert_role
-- The creator's first role.
INSERT INTO project_role (account, project, role) VALUES (%(account)s, %(project)s, %(role)s);

-- name: get_secret
-- Nothing when there is no such project.
SELECT secret FROM project WHERE id = %(id)s;

-- name: set_secret
-- Any text, also an empty one.
UPDATE project SET secret = %(value)s WHERE id = %(id)s;

-- name: get_webhook_secret
-- Nothing when there is no such project.
SELECT webhook_secret FROM project WHERE id = %(id)s;

-- name: set_webhook_secret
-- An empty text disables the hook.
UPDATE project SET webhook_secret = %(value)s WHERE id = %(id)s;

-- name: worker_may_assign
-- A pending row gives nothing; an accepted SUBMIT includes Assign.
SELECT true FROM worker_access
WHERE worker = %(worker)s AND project = %(project)s AND NOT pending AND (assign OR submit);

-- name: request_access
-- Touches no row when the project does not exist or the pair has a row.
INSERT INTO worker_access (worker, project, assign, submit)
SELECT %(worker)s, id, %(assign)s, %(submit)s FROM project WHERE id = %(project)s
ON CONFLICT DO NOTHING;

-- name: accept_access
-- Also touches a row that was accepted before.
UPDATE worker_access SET pending = false WHERE worker = %(worker)s AND project = %(project)s
RETURNING assign, submit;

-- name: remove_access
-- A request or a right, whichever it is.
DELETE FROM worker_access WHERE worker = %(worker)s AND project = %(project)s RETURNING worker;

-- name: access_list
-- Accepted ones first, then those who wait, each group by alias.
SELECT a.submit, a.assign, a.pending, a.project,
       w.id, w.alias, extract(epoch FROM w.created)::bigint AS created, w.paused
FROM worker_access AS a JOIN worker AS w ON w.id = a.worker
WHERE a.project = %(project)s
ORDER BY a.pending, w.alias, w.id;

-- name: roles_on_project
-- Accounts with a role, by id.
SELECT a.id, a.username, a.tracker_admin, extract(epoch FROM a.register_time)::bigint AS register_time, r.role
FROM project_role AS r JOIN account AS a ON a.id = r.account
WHERE r.project = %(project)s
ORDER BY a.id;

-- name: set_role
-- Replaces what was there.
INSERT INTO project_role (account, project, role) VALUES (%(account)s, %(project)s, %(role)s)
ON CONFLICT (account, project) DO UPDATE SET role = excluded.role;

-- name: remove_role
-- No row is no role.
DELETE FROM project_role WHERE account = %(account)s AND project = %(project)s;

-- name: take_snapshots
-- Every project is counted in one pass over the tasks; a task with verifications is new no more.
INSERT INTO snapshot (project, taken_at, new_task_count, failed_task_count, closed_task_count,
                      worker_access_count, awaiting_verification_count)
SELECT p.id, date_trunc('second', now()), coalesce(t.open, 0) - coalesce(v.awaiting, 0), coalesce(t.failed, 0),
       p.closed_task_count, coalesce(a.accesses, 0), coalesce(v.awaiting, 0)
FROM project AS p
LEFT JOIN (
    SELECT project, count(*) FILTER (WHERE status = 1) AS open, count(*) FILTER (WHERE status = 2) AS failed
    FROM task GROUP BY project
) AS t ON t.project = p.id
LEFT JOIN (
    SELECT task.project, count(*) AS awaiting
    FROM (SELECT DISTINCT task FROM task_verification) AS verified JOIN task ON task.id = verified.task
    WHERE task.status = 1
    GROUP BY task.project
) AS v ON v.project = p.id
LEFT JOIN (
    SELECT project, count(*) AS accesses FROM worker_access GROUP BY project
) AS a ON a.project = p.id
WHERE NOT EXISTS (SELECT FROM snapshot WHERE taken_at > now() - make_interval(secs => %(seconds)s));

-- name: prune_snapshots
-- In pieces, so that no statement runs long.
DELETE FROM snapshot
WHERE (project, taken_at) IN (
    SELECT project, taken_at FROM snapshot
    WHERE taken_at < now() - make_interval(secs => %(seconds)s)
    ORDER BY taken_at LIMIT %(limit)s
);

-- name: latest_snapshots
-- The primary key, read backwards.
SELECT new_task_count, failed_task_count, closed_task_count, worker_access_count, awaiting_verification_count,
       extract(epoch FROM taken_at)::bigint AS time_stamp
FROM snapshot WHERE project = %(project)s
ORDER BY taken_at DESC LIMIT %(count)s;

-- name: snapshots_between
-- Both ends belong to the range.
SELECT new_task_count, failed_task_count, closed_task_count, worker_access_count, awaiting_verification_count,
       extract(epoch FROM taken_at)::bigint AS time_stamp
FROM snapshot
WHERE project = %(project)s AND taken_at BETWEEN to_timestamp(%(start)s) AND to_timestamp(%(end)s)
ORDER BY taken_at DESC;

-- name: assignees
-- The entry without a worker is kept whatever its size, then those with most tasks.
SELECT assignee, task_count
FROM (
    SELECT coalesce(w.alias, %(unassigned)s) AS assignee, t.task_count, w.id
    FROM (
        SELECT assignee, count(*) AS task_count FROM task WHERE project = %(project)s GROUP BY assignee
    ) AS t
    LEFT JOIN worker AS w ON w.id = t.assignee
    ORDER BY t.assignee IS NULL DESC, t.task_count DESC, t.assignee
    LIMIT %(limit)s
) AS chosen
ORDER BY task_count DESC, id NULLS LAST;

-- name: projects_of_repository
-- Every project with this repository, ignoring case.
SELECT id, webhook_secret FROM project WHERE lower(git_repo) = lower(%(repository)s) ORDER BY id;

-- name: set_version
-- Only the version: a manager may be editing the rest.
UPDATE project SET version = %(version)s WHERE id = %(id)s;

-- name: account_may
-- By its role or as tracker admin, as the tracker knows the account at this moment.
SELECT EXISTS (SELECT FROM account WHERE id = %(account)s AND tracker_admin)
    OR EXISTS (SELECT FROM project_role WHERE account = %(account)s AND project = %(project)s AND role & %(role)s <> 0);
