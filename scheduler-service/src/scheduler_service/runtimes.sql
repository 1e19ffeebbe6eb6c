-- name: runtime_by_id
SELECT * FROM runtime WHERE id = %(id)s AND (is_public OR project_id = %(project)s);

-- name: runtime_for_share
-- Cannot be deleted until the transaction ends.
SELECT * FROM runtime WHERE id = %(id)s AND (is_public OR project_id = %(project)s) FOR KEY SHARE;

-- name: lock_runtime
-- Keeps new functions out until the transaction ends.
SELECT * FROM runtime WHERE id = %(id)s AND (is_public OR project_id = %(project)s) FOR UPDATE;

-- name: list_runtimes
SELECT * FROM runtime WHERE is_public OR project_id = %(project)s ORDER BY created_at, id;

-- name: insert_runtime
INSERT INTO runtime (id, project_id, name, image, description, is_public, trusted, status)
VALUES (%(id)s, %(project_id)s, %(name)s, %(image)s, %(description)s, %(is_public)s, %(trusted)s, 'creating')
RETURNING *;

-- name: update_runtime
UPDATE runtime SET name = %(name)s, description = %(description)s, image = %(image)s, status = %(status)s,
    updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING *;

-- name: delete_runtime
DELETE FROM runtime WHERE id = %(id)s;

-- name: has_functions
SELECT EXISTS (SELECT FROM function WHERE runtime_id = %(id)s);

-- name: has_running_functions
SELECT EXISTS (
    SELECT FROM function JOIN execution ON execution.function_id = function.id AND execution.status = 'running'
    WHERE runtime_id = %(id)s
);

-- name: ring_preparers
SELECT pg_notify(%(channel)s, '');

-- name: unprepared
SELECT id, image FROM runtime WHERE status IN ('creating', 'upgrading') ORDER BY created_at, id;

-- name: prepared
-- Unless its image was changed meanwhile, or another runner was faster.
UPDATE runtime SET status = %(status)s, updated_at = clock_timestamp()
WHERE id = %(id)s AND image = %(image)s AND status IN ('creating', 'upgrading');
