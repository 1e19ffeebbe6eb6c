-- name: insert_job
INSERT INTO job (id, project_id, owner_kind, owner_id, name, function_id, function_alias, function_version,
    function_input, pattern, count, first_execution_time, next_execution_time, due_at, timezone, misfire_policy,
    overlap_policy, jitter, retries, retry_delay)
VALUES (%(id)s, %(project_id)s, %(owner_kind)s, %(owner_id)s, %(name)s, %(function_id)s, %(function_alias)s,
    %(function_version)s, %(function_input)s, %(pattern)s, %(count)s, %(first_execution_time)s,
    %(next_execution_time)s, %(due_at)s, %(timezone)s, %(misfire_policy)s, %(overlap_policy)s, %(jitter)s,
    %(retries)s, %(retry_delay)s)
RETURNING *;

-- name: job_by_id
SELECT * FROM job WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: lock_job
SELECT * FROM job WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s) FOR UPDATE;

-- name: list_jobs
SELECT * FROM job
WHERE passes(project_id, %(project_id_operator)s, %(project_id_values)s)
  AND passes(status, %(status_operator)s, %(status_values)s)
  AND passes(name, %(name_operator)s, %(name_values)s)
  AND passes(function_id::text, %(function_id_operator)s, %(function_id_values)s)
  AND passes(function_alias, %(function_alias_operator)s, %(function_alias_values)s)
ORDER BY created_at, id;

-- name: update_job
-- Of a job that the transaction has locked.
UPDATE job SET name = %(name)s, function_input = %(function_input)s, status = %(status)s, pattern = %(pattern)s,
    next_execution_time = %(next_execution_time)s, due_at = %(due_at)s, timezone = %(timezone)s,
    misfire_policy = %(misfire_policy)s, overlap_policy = %(overlap_policy)s, jitter = %(jitter)s,
    retries = %(retries)s, retry_delay = %(retry_delay)s,
    version = version + 1, updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING *;

-- name: delete_job
DELETE FROM job WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s) RETURNING *;

-- name: ring_engine
-- The engine hears when something is due, and wakes if that is earlier than what it waits for.
SELECT pg_notify(%(channel)s, extract(epoch FROM %(due_at)s::timestamptz)::text);

-- name: runs_of_job
-- The latest ones, oldest first.
SELECT * FROM (
    SELECT id, status, planned_time, created_at, retried FROM execution WHERE job_id = %(id)s
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
) AS latest
ORDER BY created_at, id;
