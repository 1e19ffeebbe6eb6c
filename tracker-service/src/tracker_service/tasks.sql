-- name: claim_tasks
-- The parameters are array literals: psycopg would choose another type, and so another plan, for each size of number.
SELECT * FROM claim_tasks(%(projects)s::bigint[], %(workers)s::bigint[], %(counts)s::integer[]);

-- name: release_tasks
-- See claim_tasks for the parameters.
SELECT * FROM release_tasks(%(tasks)s::bigint[], %(workers)s::bigint[], %(results)s::bigint[], %(hashes)s::bigint[]);

-- name: submit_tasks
-- Any number of tasks of one submission.
SELECT * FROM submit_tasks(%(project)s::bigint, %(worker)s::bigint, %(tasks)s::text::json);

-- name: submit_each
-- Several submissions, in the order of their projects so that batches cannot wait for each other in a circle.
SELECT i.position::integer - 1 AS item, s.*
FROM (
    SELECT * FROM unnest(%(projects)s::bigint[], %(workers)s::bigint[], %(tasks)s::text[])
         WITH ORDINALITY AS u (project, worker, tasks, position)
    ORDER BY u.project, u.position
) AS i
CROSS JOIN LATERAL submit_tasks(i.project, i.worker, i.tasks::json) AS s;

-- name: worker_is_paused
-- Nothing when the tracker has not met the worker yet.
SELECT paused FROM worker WHERE id = %(worker)s;

-- name: forget_ended
-- The oldest; whoever tells of them does it in the same transaction.
WITH oldest AS MATERIALIZED (SELECT id FROM task_ended ORDER BY id LIMIT %(limit)s)
DELETE FROM task_ended AS e USING oldest WHERE e.id = oldest.id
RETURNING e.id, e.outcome, e.project, e.task, e.worker, e.chained_to;

-- name: renew_lease
-- Only its holder can; a lease that has run out and was not taken back yet goes on.
UPDATE task
SET assign_time = now(), max_assign_time = coalesce(%(seconds)s::integer, max_assign_time),
    lease_until = now() + coalesce(%(seconds)s::integer, max_assign_time) * interval '1 second'
WHERE id = %(task)s::bigint AND assignee = %(worker)s::bigint
RETURNING id AS task_id, extract(epoch FROM assign_time)::bigint AS assign_time, max_assign_time::bigint;

-- name: expire_leases
-- Locked rows are being released at this moment; the next turn looks at them again.
WITH due AS MATERIALIZED (
    SELECT id FROM task
    WHERE lease_until < now()
    ORDER BY lease_until
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE task AS t SET assignee = NULL, assign_time = NULL, lease_until = NULL
    FROM due WHERE t.id = due.id
    RETURNING t.project
), told AS MATERIALIZED (
    SELECT project, count(*) AS tasks, pg_notify('tasks_ready', project || ' ' || count(*))
    FROM expired GROUP BY project
)
SELECT coalesce(sum(tasks), 0)::bigint FROM told;

-- name: reset_failed_tasks
-- Verifications stay.
UPDATE task SET status = 1, retries = 0 WHERE project = %(project)s::bigint AND status = 2;

-- name: reclaim_assigned_tasks
-- Only those that someone holds (spec: tracker Q-41).
UPDATE task SET assignee = NULL, assign_time = NULL, lease_until = NULL
WHERE project = %(project)s::bigint AND lease_until IS NOT NULL;

-- name: hard_reset
-- Deleting is not closing: nothing is counted and nothing chains (spec: tracker 5.6, Q-40).
DELETE FROM task WHERE project = %(project)s::bigint;

-- name: tell_ready
-- Wakes those who wait for a task of the project, when the transaction commits.
SELECT pg_notify('tasks_ready', %(project)s::bigint || ' ' || %(count)s::bigint);

-- name: reset_buckets
-- A bucket without a row is full.
DELETE FROM rate_bucket WHERE project = %(project)s::bigint;

-- name: dead_tasks
-- Row versions that nobody can see any more, as far as the server has heard.
SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables WHERE relid IN ('task'::regclass, 'task_ended'::regclass);

-- name: vacuum_tasks
-- Indexes always: they are what this is for. Never give pages back, that would lock the table.
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, SKIP_LOCKED) task, task_ended;
