-- name: create_job
INSERT INTO job (user_id, type, protocol, priority, max_tries, src_siteid, dst_siteid, src_filepath, dst_filepath,
    extra_opts)
VALUES (%(user_id)s, %(type)s, %(protocol)s, %(priority)s, %(max_tries)s, %(src_siteid)s, %(dst_siteid)s,
    %(src_filepath)s, %(dst_filepath)s, %(extra_opts)s)
RETURNING id;

-- name: create_first_element
INSERT INTO element (job_id, id, type, src_filepath, dst_filepath, max_tries)
VALUES (%(job_id)s, 0, %(type)s, %(src_filepath)s, %(dst_filepath)s, %(max_tries)s);

-- name: job_by_id
SELECT * FROM job WHERE id = %(id)s;

-- name: jobs_by_id
SELECT * FROM job WHERE id = ANY(%(ids)s) ORDER BY priority, id;

-- name: job_of_user
SELECT * FROM job WHERE id = %(id)s AND user_id = %(user_id)s;

-- name: jobs_of_user
-- A page, oldest first, after the job with the id ``after``; a filter that is not given does not count.
SELECT * FROM job
WHERE user_id = %(user_id)s AND id > %(after)s
  AND (%(statuses)s::smallint[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(type)s::smallint IS NULL OR type = %(type)s)
ORDER BY id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: elements_of_job
-- A page, after the element with the id ``after``.
SELECT * FROM element WHERE job_id = %(job_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s;

-- name: element_by_id
SELECT * FROM element WHERE job_id = %(job_id)s AND id = %(id)s;

-- name: running_elements
-- What a watcher of the job sees move; the rest is in the counters.
SELECT id, size, monitoring FROM element WHERE job_id = %(job_id)s AND status = 4 ORDER BY id LIMIT %(limit)s;

-- name: attempts_of_element
SELECT * FROM attempt WHERE job_id = %(job_id)s AND element_id = %(element_id)s ORDER BY number;

-- name: attempts_of_elements
SELECT * FROM attempt WHERE job_id = %(job_id)s AND element_id BETWEEN %(first)s AND %(last)s
ORDER BY element_id, number;

-- name: lock_unfinished_elements
-- Elements before their job, as claims and reports lock them.
SELECT id, status, holder FROM element WHERE job_id = %(job_id)s AND NOT ended ORDER BY id FOR UPDATE;

-- name: end_unfinished_elements
UPDATE element SET status = 2, final = true, reason = %(reason)s, lease = NULL, lease_until = NULL,
    changed_at = clock_timestamp()
WHERE job_id = %(job_id)s AND NOT ended AND status IN (0, 2);

-- name: mark_cancelled
UPDATE job SET cancelled_at = now() WHERE id = %(id)s;

-- name: lock_failed_elements
SELECT id FROM element WHERE job_id = %(job_id)s AND ended AND status = 2 ORDER BY id FOR UPDATE;

-- name: renew_failed_elements
-- As many attempts again as the job was given first.
UPDATE element SET status = 0, final = false, reason = NULL, lease = NULL, not_before = '1970-01-01 00:00:00+00',
    monitoring = NULL, changed_at = clock_timestamp(), max_tries = attempts + job.max_tries
FROM job
WHERE element.job_id = %(job_id)s AND job.id = element.job_id AND element.ended AND element.status = 2;

-- name: mark_retried
UPDATE job SET announced = false, cancelled_at = NULL WHERE id = %(id)s;

-- name: announce_ended
-- The jobs that ended in this transaction and are not announced yet; each is returned once.
UPDATE job SET announced = true
WHERE id = ANY(%(ids)s) AND ended_at IS NOT NULL AND NOT announced
RETURNING id, user_id, type, status, cancelled_at, src_siteid, dst_siteid, num_elements, num_done, num_failed;

-- name: wake_workers
SELECT pg_notify('workqueue_ready', '');

-- name: tell_watchers
SELECT pg_notify('workqueue_job', %(job_id)s::text);

-- name: open_jobs_of_sites
-- Jobs that can no longer be done, as one of their sites is gone.
SELECT id FROM job
WHERE ended_at IS NULL AND (src_siteid = ANY(%(site_ids)s) OR (type IN (1, 3) AND dst_siteid = ANY(%(site_ids)s)))
ORDER BY id;

-- name: jobs_without_login
-- Open jobs that nobody can do until their user logs in at a site again.
SELECT j.id, s.id AS site_id, s.name FROM job j
JOIN site s ON s.login_required AND (s.id = j.src_siteid OR (j.type = 1 AND s.id = j.dst_siteid))
WHERE j.open AND j.protocol <> 2 AND NOT EXISTS (
    SELECT 1 FROM site_session t WHERE t.site_id = s.id AND t.user_id = j.user_id AND t.expires_at > now())
ORDER BY j.id
LIMIT 100;

-- name: prune_jobs
DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE ended_at < now() - make_interval(secs => %(days)s * 86400) ORDER BY ended_at LIMIT %(limit)s);

-- name: delete_jobs_of_user
DELETE FROM job WHERE user_id = %(user_id)s;
