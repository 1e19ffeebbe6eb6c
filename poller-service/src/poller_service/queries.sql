-- name: create_job
-- Wakes those who wait for a job when the transaction commits.
WITH created AS (
    INSERT INTO job (user_name, configuration) VALUES (%(user)s, %(configuration)s)
    RETURNING *
)
SELECT created.* FROM created, LATERAL pg_notify(%(channel)s, user_name);

-- name: job_by_id
SELECT * FROM job WHERE job_id = %(job_id)s;

-- name: lock_job
-- The job as it is until the transaction ends.
SELECT * FROM job WHERE job_id = %(job_id)s FOR UPDATE;

-- name: list_jobs
-- Oldest first; a part that is not given does not count.
SELECT * FROM job
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(user)s::text IS NULL OR user_name = %(user)s)
  AND job_id > %(after)s
ORDER BY job_id
LIMIT %(limit)s;

-- name: oldest_new_job
SELECT * FROM job
WHERE status = 'new' AND (%(user)s::text IS NULL OR user_name = %(user)s)
ORDER BY job_id
LIMIT 1;

-- name: claim_job
-- Whoever finds the oldest job locked by another claim takes the next one instead of waiting.
UPDATE job SET status = 'in_progress', version = version + 1, updated_at = now()
WHERE job_id = (
    SELECT job_id FROM job
    WHERE status = 'new' AND (%(user)s::text IS NULL OR user_name = %(user)s)
    ORDER BY job_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: change_status
-- Of a job that the transaction has locked.
UPDATE job SET status = %(status)s, version = version + 1, updated_at = now()
WHERE job_id = %(job_id)s
RETURNING *;

-- name: change_every_status
-- Locks in the order of ids, so that two of these wait for each other instead of deadlocking.
WITH before AS (
    SELECT job_id, status FROM job
    WHERE status <> %(status)s AND (%(user)s::text IS NULL OR user_name = %(user)s)
    ORDER BY job_id
    FOR UPDATE
)
UPDATE job SET status = %(status)s, version = version + 1, updated_at = now()
FROM before WHERE job.job_id = before.job_id
RETURNING job.job_id, user_name, job.status, version, before.status AS previous;

-- name: wake_waiting
SELECT pg_notify(%(channel)s, %(user)s);
