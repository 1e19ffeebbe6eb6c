-- name: insert_version
INSERT INTO function_version (id, function_id, project_id, version_number, description)
VALUES (%(id)s, %(function_id)s, %(project_id)s, %(version_number)s, %(description)s)
RETURNING *;

-- name: freeze_package
INSERT INTO function_package (function_id, version_number, md5sum, content)
SELECT function_id, %(version_number)s, md5sum, content FROM function_package
WHERE function_id = %(function_id)s AND version_number = 0;

-- name: is_changed
-- Also when that version was removed.
SELECT NOT EXISTS (
    SELECT FROM function_package AS current JOIN function_package AS latest USING (function_id, md5sum)
    WHERE function_id = %(function_id)s AND current.version_number = 0 AND latest.version_number = %(version_number)s
);

-- name: count_versions
SELECT count(*) FROM function_version WHERE function_id = %(function_id)s;

-- name: list_versions
SELECT * FROM function_version WHERE function_id = %(function_id)s ORDER BY version_number;

-- name: version_by_number
SELECT * FROM function_version WHERE function_id = %(function_id)s AND version_number = %(version_number)s;

-- name: delete_version
WITH package AS (
    DELETE FROM function_package WHERE function_id = %(function_id)s AND version_number = %(version_number)s
)
DELETE FROM function_version WHERE function_id = %(function_id)s AND version_number = %(version_number)s;

-- name: set_latest
UPDATE function SET latest_version = %(latest)s, updated_at = clock_timestamp() WHERE id = %(function_id)s;
