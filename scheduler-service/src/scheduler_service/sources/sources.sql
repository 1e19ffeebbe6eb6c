-- name: waiting_projects
-- From one project to the next by the index, so that one's thousands of executions cost no more than another's one.
WITH RECURSIVE waiting (project_id) AS (
    (SELECT project_id FROM execution WHERE stage = 'ready' AND source = ANY(%(sources)s) ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT project_id FROM execution
        WHERE stage = 'ready' AND source = ANY(%(sources)s) AND project_id > waiting.project_id
        ORDER BY project_id LIMIT 1
    )
    FROM waiting WHERE waiting.project_id IS NOT NULL
)
SELECT project_id FROM waiting WHERE project_id IS NOT NULL;

-- name: take_one
-- The project's oldest one that a runner here can carry out; the new token makes reports of earlier holders stale.
WITH picked AS (
    SELECT id, function_id FROM execution
    WHERE stage = 'ready' AND source = ANY(%(sources)s) AND project_id = %(project)s
    ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE execution SET stage = 'taken', attempts = attempts + 1, lease_token = gen_random_uuid(),
    lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM picked LEFT JOIN function ON function.id = picked.function_id
    LEFT JOIN runtime ON runtime.id = function.runtime_id
WHERE execution.id = picked.id
RETURNING execution.*, function.code, function.timeout, function.entry, function.memory_size, function.cpu,
    runtime.image AS runtime_image;

-- name: take_for_sending
-- Some of each project and source, as long as few of them are unanswered: what queues up on the way is everybody's.
-- The command of a retry has an id of its own: one of the same id would be answered, not carried out.
WITH RECURSIVE waiting (project_id, source) AS (
    (
        SELECT project_id, source FROM execution WHERE stage = 'ready' AND source = ANY(%(sources)s)
        ORDER BY project_id, source LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM waiting, LATERAL (
        SELECT project_id, source FROM execution
        WHERE stage = 'ready' AND source = ANY(%(sources)s)
            AND (project_id, source) > (waiting.project_id, waiting.source)
        ORDER BY project_id, source LIMIT 1
    ) AS following
), unanswered AS (
    SELECT project_id, source, (
        SELECT count(*) FROM (
            SELECT FROM execution AS sent
            WHERE stage = 'sent' AND sent.project_id = waiting.project_id AND sent.source = waiting.source
            LIMIT %(most)s
        ) AS counted
    ) AS number
    FROM waiting
), picked AS (
    SELECT taken.id, taken.function_id FROM unanswered, LATERAL (
        SELECT id, function_id FROM execution
        WHERE stage = 'ready' AND project_id = unanswered.project_id AND source = unanswered.source
        ORDER BY created_at, id LIMIT least(%(share)s, %(most)s - unanswered.number) FOR UPDATE SKIP LOCKED
    ) AS taken
    LIMIT %(limit)s
)
UPDATE execution SET stage = 'sent', lease_until = clock_timestamp() + make_interval(secs => %(seconds)s),
    command_id = CASE WHEN retried > 0 THEN gen_random_uuid() END
FROM picked LEFT JOIN function ON function.id = picked.function_id
WHERE execution.id = picked.id
RETURNING execution.*, function.code, function.timeout, function.entry, function.memory_size, function.cpu;

-- name: has_unsent
SELECT EXISTS (SELECT FROM execution WHERE stage = 'ready' AND source = ANY(%(sources)s));

-- name: execution_of_command
-- Nothing for a command that was followed by another.
SELECT id FROM execution WHERE (id = %(command_id)s AND command_id IS NULL) OR command_id = %(command_id)s;

-- name: seconds_since
SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM execution WHERE id = %(id)s;
