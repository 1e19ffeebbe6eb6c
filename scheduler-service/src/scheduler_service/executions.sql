-- name: insert_execution
INSERT INTO execution (id, project_id, owner_kind, owner_id, function_id, function_version, function_alias, source,
    description, status, stage, sync, input, job_id, lease_until)
VALUES (%(id)s, %(project_id)s, %(owner_kind)s, %(owner_id)s, %(function_id)s, %(function_version)s,
    %(function_alias)s, %(source)s, %(description)s, 'running', 'ready', %(sync)s, %(input)s, %(job_id)s,
    clock_timestamp() + make_interval(secs => %(patience)s))
RETURNING *;

-- name: count_function
UPDATE function SET count = count + 1 WHERE id = %(id)s;

-- name: count_version
UPDATE function_version SET count = count + 1 WHERE function_id = %(id)s AND version_number = %(version)s;

-- name: ring_runners
SELECT pg_notify(%(channel)s, '');

-- name: ring_waiting
SELECT pg_notify(%(channel)s, id) FROM unnest(%(ids)s::text[]) AS ended (id);

-- name: execution_by_id
SELECT * FROM execution WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: list_executions
SELECT * FROM execution
WHERE passes(project_id, %(project_id_operator)s, %(project_id_values)s)
  AND passes(function_id::text, %(function_id_operator)s, %(function_id_values)s)
  AND passes(status, %(status_operator)s, %(status_values)s)
  AND passes(description, %(description_operator)s, %(description_values)s)
ORDER BY created_at, id;

-- name: delete_execution
DELETE FROM execution WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: finish_execution
-- Only a running one, and only by its holder: whoever comes second, or too late, changes nothing. One that has failed
-- may wait to be begun again, as its job says.
WITH held AS (
    SELECT id, CASE WHEN %(status)s <> 'success' THEN retry_at(job_id, retried) END AS retry_at FROM execution
    WHERE id = %(id)s AND status = 'running' AND (%(token)s::uuid IS NULL OR lease_token = %(token)s) FOR UPDATE
)
UPDATE execution SET status = CASE WHEN retry_at IS NULL THEN %(status)s ELSE 'running' END,
    stage = CASE WHEN retry_at IS NULL THEN 'ended' ELSE 'waiting' END, result = %(result)s, logs = %(logs)s,
    lease_until = retry_at, lease_token = CASE WHEN retry_at IS NULL THEN lease_token END,
    updated_at = clock_timestamp()
FROM held WHERE execution.id = held.id
RETURNING execution.*;

-- name: expire_leases
-- Whose holder has died, or that nobody took or answered in time; what was begun may be begun again. A command that
-- nobody answered is not sent a second time under another id: the first may still be carried out.
WITH lost AS (
    SELECT id, stage AS was, CASE WHEN stage = 'taken' THEN retry_at(job_id, retried) END AS retry_at, CASE stage
        WHEN 'taken' THEN attempts <= %(retries)s
        WHEN 'waiting' THEN EXISTS (SELECT FROM job WHERE job.id = job_id AND job.status IN ('running', 'done'))
        ELSE false
    END AS again
    FROM execution WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE execution SET
    status = CASE WHEN again OR retry_at IS NOT NULL THEN 'running' WHEN was = 'waiting' THEN 'failed' ELSE 'error' END,
    stage = CASE WHEN again THEN 'ready' WHEN retry_at IS NOT NULL THEN 'waiting' ELSE 'ended' END,
    result = CASE WHEN again THEN NULL WHEN was = 'waiting' THEN result ELSE %(result)s END,
    lease_until = CASE WHEN again THEN clock_timestamp() + make_interval(secs => %(patience)s) ELSE retry_at END,
    lease_token = NULL, attempts = CASE WHEN was = 'waiting' THEN 0 ELSE attempts END,
    retried = retried + (was = 'waiting' AND again)::int, updated_at = clock_timestamp()
FROM lost WHERE execution.id = lost.id
RETURNING execution.*;

-- name: hand_back
WITH lost AS (
    SELECT id, attempts <= %(retries)s AS again, retry_at(job_id, retried) AS retry_at FROM execution
    WHERE id = %(id)s AND status = 'running' AND lease_token = %(token)s FOR UPDATE
)
UPDATE execution SET status = CASE WHEN again OR retry_at IS NOT NULL THEN 'running' ELSE 'error' END,
    stage = CASE WHEN again THEN 'ready' WHEN retry_at IS NOT NULL THEN 'waiting' ELSE 'ended' END,
    result = CASE WHEN NOT again THEN %(result)s END,
    lease_until = CASE WHEN again THEN clock_timestamp() + make_interval(secs => %(patience)s) ELSE retry_at END,
    lease_token = NULL, updated_at = clock_timestamp()
FROM lost WHERE execution.id = lost.id
RETURNING execution.*;

-- name: end_retries
-- They end as they were when they failed.
UPDATE execution SET status = 'failed', stage = 'ended', lease_until = NULL, updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND stage = 'waiting'
RETURNING *;

-- name: renew_leases
UPDATE execution SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS held (id, token)
WHERE execution.id = held.id AND lease_token = held.token AND status = 'running'
RETURNING execution.id;
