-- name: insert_alias
INSERT INTO function_alias (id, project_id, name, function_id, function_version, description)
VALUES (%(id)s, %(project_id)s, %(name)s, %(function_id)s, %(function_version)s, %(description)s)
ON CONFLICT DO NOTHING
RETURNING *;

-- name: list_aliases
SELECT * FROM function_alias WHERE passes(project_id, %(project_id_operator)s, %(project_id_values)s)
ORDER BY created_at, id;

-- name: alias_by_name
-- Of the caller's project; an admin sees the oldest one of others where the own project has none.
SELECT * FROM function_alias WHERE name = %(name)s AND (project_id = %(project)s OR %(anywhere)s)
ORDER BY project_id <> %(project)s, created_at, id LIMIT 1;

-- name: lock_alias
SELECT * FROM function_alias WHERE project_id = %(project)s AND name = %(name)s FOR UPDATE;

-- name: update_alias
UPDATE function_alias SET function_id = %(function_id)s, function_version = %(function_version)s,
    description = %(description)s, updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING *;

-- name: has_active_jobs
SELECT EXISTS (
    SELECT FROM job WHERE project_id = %(project)s AND function_alias = %(name)s AND status IN ('running', 'paused')
);

-- name: delete_alias
DELETE FROM function_alias WHERE id = %(id)s;
