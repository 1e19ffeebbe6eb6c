-- name: alias_for_share
-- Stays as it is until the transaction ends.
SELECT * FROM function_alias WHERE project_id = %(project)s AND name = %(name)s FOR SHARE;

-- name: function_for_share
-- Cannot be deleted until the transaction ends; its counters can move.
SELECT function.*, runtime.status AS runtime_status
FROM function LEFT JOIN runtime ON runtime.id = function.runtime_id
WHERE function.id = %(id)s AND function.project_id = %(project)s
FOR KEY SHARE OF function;

-- name: has_version
SELECT true FROM function_version WHERE function_id = %(id)s AND version_number = %(version)s FOR KEY SHARE;
