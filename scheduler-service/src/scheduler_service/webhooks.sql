-- name: insert_webhook
INSERT INTO webhook (id, project_id, owner_kind, owner_id, function_id, function_alias, function_version, description)
VALUES (%(id)s, %(project_id)s, %(owner_kind)s, %(owner_id)s, %(function_id)s, %(function_alias)s,
    %(function_version)s, %(description)s)
RETURNING *;

-- name: webhook_by_id
SELECT * FROM webhook WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: lock_webhook
SELECT * FROM webhook WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s) FOR UPDATE;

-- name: list_webhooks
SELECT * FROM webhook WHERE passes(project_id, %(project_id_operator)s, %(project_id_values)s)
ORDER BY created_at, id;

-- name: update_webhook
UPDATE webhook SET function_id = %(function_id)s, function_alias = %(function_alias)s,
    function_version = %(function_version)s, description = %(description)s, updated_at = clock_timestamp()
WHERE id = %(id)s
RETURNING *;

-- name: delete_webhook
DELETE FROM webhook WHERE id = %(id)s AND (%(project)s::text IS NULL OR project_id = %(project)s);

-- name: uses_function
SELECT EXISTS (
    SELECT FROM webhook WHERE function_id = %(id)s AND (%(version)s::int IS NULL OR function_version = %(version)s)
);

-- name: uses_alias
SELECT EXISTS (SELECT FROM webhook WHERE project_id = %(project)s AND function_alias = %(name)s);
