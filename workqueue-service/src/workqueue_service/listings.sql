-- name: forget_listing
DELETE FROM listing_directory WHERE job_id = %(job_id)s AND element_id = %(element_id)s
    AND seq >= %(first)s AND seq < %(end)s;

-- name: listing_entries
-- Directories in the order of the report; a directory may be spread over rows.
SELECT d.path, coalesce(json_agg(e.entry ORDER BY d.seq, e.seq) FILTER (WHERE e.seq IS NOT NULL), '[]')::text AS entries
FROM listing_directory d LEFT JOIN listing_entry e
    ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s
GROUP BY d.path ORDER BY min(d.seq);

-- name: listing_names
SELECT d.path, coalesce(json_agg(e.name ORDER BY d.seq, e.seq) FILTER (WHERE e.seq IS NOT NULL), '[]')::text AS entries
FROM listing_directory d LEFT JOIN listing_entry e
    ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s
GROUP BY d.path ORDER BY min(d.seq);

-- name: has_listing
SELECT EXISTS (SELECT 1 FROM listing_directory WHERE job_id = %(job_id)s AND element_id = %(element_id)s);

-- name: unusable_directory
SELECT path FROM listing_directory WHERE job_id = %(job_id)s AND element_id = %(element_id)s AND norm IS NULL
ORDER BY seq LIMIT 1;

-- name: unusable_name
-- Names that cannot be carried by a path, or would lead elsewhere.
SELECT name FROM listing_entry
WHERE job_id = %(job_id)s AND element_id = %(element_id)s AND (name ~ '[\n\r/]' OR name IN ('', '.', '..'))
LIMIT 1;

-- name: top_of_listing
-- The shortest directory, as users see paths (spec: workqueue 5.6).
SELECT norm FROM listing_directory WHERE job_id = %(job_id)s AND element_id = %(element_id)s
ORDER BY length(path), seq LIMIT 1;

-- name: directory_outside
-- A directory that is neither the top nor below it.
SELECT path FROM listing_directory
WHERE job_id = %(job_id)s AND element_id = %(element_id)s AND norm <> %(top)s
    AND NOT starts_with(norm, %(below)s)
ORDER BY seq LIMIT 1;

-- name: skipped_entries
-- Neither files nor directories: symbolic links, devices, sockets.
SELECT count(*) FROM listing_entry
WHERE job_id = %(job_id)s AND element_id = %(element_id)s AND (mode & 61440) NOT IN (16384, 32768);

-- name: expand_file_copy
INSERT INTO element (job_id, id, type, src_filepath, dst_filepath, size, max_tries)
SELECT %(job_id)s, row_number() OVER (ORDER BY length(d.path), d.seq, e.seq), 1,
    rtrim(d.norm, '/') || '/' || e.name, %(dst)s, e.size, %(max_tries)s
FROM listing_directory d JOIN listing_entry e
    ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s AND (e.mode & 61440) = 32768;

-- name: expand_tree_copy
-- Files, and directories that would not come into being with a file in them (their paths end in a slash).
INSERT INTO element (job_id, id, type, src_filepath, dst_filepath, size, max_tries)
SELECT %(job_id)s, row_number() OVER (ORDER BY length, directory, entry NULLS LAST), 1, src, dst, size, %(max_tries)s
FROM (
    SELECT length(d.path) AS length, d.seq AS directory, e.seq AS entry, e.size,
        rtrim(d.norm, '/') || '/' || e.name AS src,
        rtrim(%(dst)s || substr(d.norm, %(top_length)s), '/') || '/' || e.name AS dst
    FROM listing_directory d JOIN listing_entry e
        ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
    WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s AND (e.mode & 61440) = 32768
    UNION ALL
    SELECT min(length(d.path)), min(d.seq), NULL, 0, rtrim(d.norm, '/') || '/',
        rtrim(%(dst)s || substr(d.norm, %(top_length)s), '/') || '/'
    FROM listing_directory d LEFT JOIN listing_entry e
        ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
            AND (e.mode & 61440) IN (16384, 32768)
    WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s AND %(directories)s
    GROUP BY d.norm HAVING count(e.seq) = 0
) AS rows;

-- name: expand_remove
-- Deepest first; a directory waits for what is in it. The site's root and the user's home stay.
INSERT INTO element (job_id, id, type, src_filepath, size, max_tries, parent, waits)
WITH rows AS (
    SELECT row_number() OVER (ORDER BY length DESC, directory, is_directory, entry) AS id, * FROM (
        SELECT length(d.path) AS length, d.seq AS directory, (e.mode & 61440) = 16384 AS is_directory, e.seq AS entry,
            rtrim(d.norm, '/') || '/' || e.name || CASE WHEN (e.mode & 61440) = 16384 THEN '/' ELSE '' END AS src,
            rtrim(d.norm, '/') || '/' AS container, e.size
        FROM listing_directory d JOIN listing_entry e
            ON e.job_id = d.job_id AND e.element_id = d.element_id AND e.directory = d.seq
        WHERE d.job_id = %(job_id)s AND d.element_id = %(element_id)s
        UNION ALL
        SELECT 0, -1, true, 0, %(top)s || '/', NULL, 0
        WHERE %(top)s::text IS NOT NULL AND %(top)s NOT IN ('/', '~')
    ) AS unordered
), contents AS (
    SELECT container, count(*) AS n FROM rows WHERE container IS NOT NULL GROUP BY container
)
SELECT %(job_id)s, rows.id, 2, rows.src, rows.size, %(max_tries)s, parent.id, coalesce(contents.n, 0)
FROM rows LEFT JOIN rows AS parent ON parent.src = rows.container
LEFT JOIN contents ON contents.container = rows.src AND rows.is_directory
ORDER BY rows.id;

-- name: expand_rename
INSERT INTO element (job_id, id, type, src_filepath, dst_filepath, max_tries)
VALUES (%(job_id)s, 1, 3, %(src)s, %(dst)s, %(max_tries)s);
