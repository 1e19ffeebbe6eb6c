-- name: checksum
SELECT md5sum FROM function_package WHERE function_id = %(id)s AND version_number = %(version)s;

-- name: package
SELECT md5sum, content FROM function_package WHERE function_id = %(id)s AND version_number = %(version)s;
