-- name: insert_function
INSERT INTO function (id, project_id, name, description, source, code, cpu, memory_size, timeout, runtime_id, entry,
    updated_at)
VALUES (%(id)s, %(project_id)s, %(name)s, %(description)s, %(source)s, %(code)s, %(cpu)s, %(memory_size)s,
    %(timeout)s, %(runtime_id)s, %(entry)s, CASE WHEN %(source)s = 'package' THEN clock_timestamp() END)
RETURNING *;

-- name: store_package
INSERT INTO function_package (function_id, version_number, md5sum, content)
VALUES (%(id)s, 0, %(md5sum)s, %(content)s)
ON CONFLICT (function_id, version_number) DO UPDATE SET md5sum = excluded.md5sum, content = excluded.content;

-- name: package
SELECT content FROM function_package WHERE function_id = %(id)s AND version_number = %(version)s;

-- name: function_by_id
SELECT * FROM function WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: lock_function
SELECT * FROM function WHERE id = %(id)s FOR UPDATE;

-- name: list_functions
SELECT * FROM function WHERE passes(project_id, %(project_id_operator)s, %(project_id_values)s)
ORDER BY created_at, id;

-- name: update_function
UPDATE function SET name = %(name)s, description = %(description)s, code = %(code)s, cpu = %(cpu)s,
    memory_size = %(memory_size)s, timeout = %(timeout)s, entry = %(entry)s, updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING *;

-- name: delete_function
DELETE FROM function WHERE id = %(id)s;

-- name: has_active_jobs
SELECT EXISTS (
    SELECT FROM job WHERE function_id = %(id)s AND status IN ('running', 'paused')
    AND (%(version)s::int IS NULL OR function_version = %(version)s)
);

-- name: has_aliases
SELECT EXISTS (
    SELECT FROM function_alias WHERE function_id = %(id)s AND (%(version)s::int IS NULL OR function_version = %(version)s)
);
