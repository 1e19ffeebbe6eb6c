-- name: take_one
-- The oldest one that a runner here can carry out; not of projects that have as many here as one may have.
UPDATE execution SET stage = 'taken', lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = (
    SELECT id FROM execution
    WHERE stage = 'ready' AND source = ANY(%(sources)s) AND project_id <> ALL(%(busy)s)
    ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING *, (SELECT code FROM function WHERE function.id = function_id),
    (SELECT timeout FROM function WHERE function.id = function_id);

-- name: take_for_sending
UPDATE execution SET stage = 'sent', lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id IN (
    SELECT id FROM execution WHERE stage = 'ready' AND source = ANY(%(sources)s)
    ORDER BY created_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING *, (SELECT code FROM function WHERE function.id = function_id),
    (SELECT timeout FROM function WHERE function.id = function_id);

-- name: seconds_since
SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM execution WHERE id = %(id)s;
