-- name: claim_due
-- Whoever finds a job locked by another engine takes the next one; projects take turns, so that one's thousands do not
-- hold up another's one. One by one, so that no plan looks at all the jobs that are not due. The second condition is for
-- the version that is locked, which another engine may have moved; IS TRUE keeps it from being looked for by time again.
-- Then what each job runs, and whether it still does.
WITH turns AS (
    SELECT id FROM (
        SELECT id, due_at, row_number() OVER (PARTITION BY project_id ORDER BY due_at, id) AS turn
        FROM job WHERE status = 'running' AND due_at <= %(now)s
    ) AS numbered
    ORDER BY turn, due_at, id
), due AS (
    SELECT locked.* FROM turns, LATERAL (
        SELECT * FROM job WHERE job.id = turns.id AND (status = 'running' AND due_at <= %(now)s) IS TRUE
        FOR UPDATE SKIP LOCKED
    ) AS locked
    LIMIT %(limit)s
)
SELECT due.*, function.id AS target_id, function.source, runtime.id AS runtime_id, runtime.status AS runtime_status,
    coalesce(alias.function_version, due.function_version) AS target_version, alias.id AS alias_id,
    version.id AS version_id,
    due.overlap_policy IS NOT NULL
        AND EXISTS (SELECT FROM execution WHERE job_id = due.id AND status = 'running') AS overlaps
FROM due
LEFT JOIN function_alias AS alias ON alias.project_id = due.project_id AND alias.name = due.function_alias
LEFT JOIN function ON function.id = CASE WHEN due.function_alias IS NULL THEN due.function_id ELSE alias.function_id END
    AND function.project_id = due.project_id
LEFT JOIN runtime ON runtime.id = function.runtime_id
LEFT JOIN function_version AS version ON version.function_id = function.id
    AND version.version_number = coalesce(alias.function_version, due.function_version)
ORDER BY due.due_at, due.id;

-- name: insert_executions
-- An occurrence that has an execution does not get a second one, even when clocks were set back.
INSERT INTO execution (id, project_id, owner_kind, owner_id, function_id, function_version, source, description,
    status, stage, sync, input, result, job_id, planned_time, lease_until)
SELECT new.id, job.project_id, job.owner_kind, job.owner_id, new.function_id, new.function_version, new.source,
    new.description, CASE WHEN new.result IS NULL THEN 'running' ELSE 'error' END,
    CASE WHEN new.result IS NULL THEN 'ready' ELSE 'ended' END, false, new.input, new.result, job.id,
    new.planned_time,
    CASE WHEN new.result IS NULL THEN clock_timestamp() + make_interval(secs => %(patience)s) END
FROM unnest(%(ids)s::uuid[], %(job_ids)s::uuid[], %(planned_times)s::timestamptz[], %(function_ids)s::uuid[],
    %(function_versions)s::int[], %(sources)s::text[], %(descriptions)s::text[], %(inputs)s::text[],
    %(results)s::text[])
    AS new (id, job_id, planned_time, function_id, function_version, source, description, input, result)
JOIN job ON job.id = new.job_id
ON CONFLICT (job_id, planned_time) DO NOTHING
RETURNING id, project_id, function_id, function_version, job_id, planned_time, status;

-- name: advance_jobs
UPDATE job SET next_execution_time = new.next_time, due_at = new.due_at, status = new.status, count = new.count,
    version = version + 1, updated_at = clock_timestamp()
FROM unnest(%(ids)s::uuid[], %(next_times)s::timestamptz[], %(dues)s::timestamptz[], %(statuses)s::text[],
    %(counts)s::int[]) AS new (id, next_time, due_at, status, count)
WHERE job.id = new.id
RETURNING job.id, project_id, job.status, next_execution_time, version;

-- name: replace_executions
UPDATE execution SET status = 'failed', stage = 'ended', result = %(result)s, lease_until = NULL,
    updated_at = clock_timestamp()
WHERE job_id = ANY(%(job_ids)s::uuid[]) AND status = 'running'
RETURNING *;

-- name: count_functions
-- Locked in the order of ids, so that two engines wait for each other instead of deadlocking.
WITH locked AS (
    SELECT function.id, new.added FROM function
    JOIN unnest(%(ids)s::uuid[], %(counts)s::bigint[]) AS new (id, added) ON new.id = function.id
    ORDER BY function.id FOR NO KEY UPDATE OF function
)
UPDATE function SET count = count + locked.added FROM locked WHERE function.id = locked.id;

-- name: count_versions
WITH locked AS (
    SELECT version.id, new.added FROM function_version AS version
    JOIN unnest(%(ids)s::uuid[], %(versions)s::int[], %(counts)s::bigint[]) AS new (id, number, added)
        ON new.id = version.function_id AND new.number = version.version_number
    ORDER BY version.id FOR NO KEY UPDATE OF version
)
UPDATE function_version AS version SET count = count + locked.added FROM locked WHERE version.id = locked.id;

-- name: next_due
SELECT min(due_at) FROM job WHERE status = 'running';

-- name: pause_job
-- Nobody knows when it is due: its owner must look at it.
UPDATE job SET status = 'paused', version = version + 1, updated_at = clock_timestamp()
WHERE id = %(id)s AND status = 'running';
