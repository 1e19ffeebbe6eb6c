-- name: lock_claims
-- One claim at a time decides, so that limits and turns are exact; a claim takes milliseconds.
SELECT pg_advisory_xact_lock(%(lock)s);

-- name: claim_elements
-- Users in turn, whoever was served longest ago first; of each user what is most urgent (spec: workqueue 5.1).
-- No site gets more transfers at once than it allows. Elements that somebody else has locked are left to them.
WITH RECURSIVE waiting(user_id) AS (
    (SELECT user_id FROM job WHERE open ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.user_id FROM job j WHERE j.open AND j.user_id > w.user_id ORDER BY j.user_id LIMIT 1)
    FROM waiting w WHERE w.user_id IS NOT NULL
), busy AS (
    SELECT used.site_id, count(*) AS transfers
    FROM element e JOIN job j ON j.id = e.job_id
    CROSS JOIN LATERAL (SELECT j.src_siteid UNION SELECT j.dst_siteid WHERE j.type = 1) AS used(site_id)
    WHERE e.status IN (3, 4) AND j.protocol <> 2
    GROUP BY used.site_id
), usable AS MATERIALIZED (
    SELECT s.id, s.login_required, coalesce(s.max_transfers, %(site_transfers)s) - coalesce(b.transfers, 0) AS free
    FROM site s LEFT JOIN busy b ON b.site_id = s.id
    WHERE s.transport = ANY(%(transports)s)
), users AS MATERIALIZED (
    SELECT w.user_id, coalesce(t.served, 0) AS served, ARRAY(
        SELECT u.id FROM usable u
        WHERE u.free > 0 AND (NOT u.login_required OR EXISTS (
            SELECT 1 FROM site_session l
            WHERE l.site_id = u.id AND l.user_id = w.user_id AND l.expires_at > now()))) AS sites
    FROM waiting w LEFT JOIN turn t ON t.user_id = w.user_id
    WHERE w.user_id IS NOT NULL
), candidates AS (
    SELECT u.user_id, u.served, c.*
    FROM users u CROSS JOIN LATERAL (
        SELECT j.priority, j.id AS job_id, e.id AS element_id, e.size, j.src_siteid,
            CASE WHEN j.type = 1 THEN j.dst_siteid END AS dst_siteid, j.protocol,
            row_number() OVER (ORDER BY j.priority, j.id, e.id) AS rank
        FROM (
            SELECT * FROM job
            WHERE job.user_id = u.user_id AND job.open AND job.type = ANY(%(types)s) AND CASE
                WHEN job.protocol = 2 THEN %(dummy)s
                ELSE job.src_siteid = ANY(u.sites) AND (job.type <> 1 OR job.dst_siteid = ANY(u.sites)) END
            ORDER BY job.priority, job.id
        ) j CROSS JOIN LATERAL (
            SELECT x.id, x.size FROM element x
            WHERE x.job_id = j.id AND x.claimable AND x.not_before <= now() AND (NOT %(pdm)s OR (
                x.src_filepath ~ '^[ -~]*$' AND x.src_filepath !~ '[?#]'
                AND coalesce(x.dst_filepath, '') ~ '^[ -~]*$' AND coalesce(x.dst_filepath, '') !~ '[?#]'
                AND NOT (x.type = 1 AND x.src_filepath LIKE '%%/')))
            ORDER BY x.id LIMIT %(limit)s
        ) e
        ORDER BY j.priority, j.id, e.id LIMIT %(limit)s
    ) c
), placed AS (
    SELECT *, row_number() OVER (ORDER BY rank, served, user_id) AS place FROM candidates
), crowded AS (
    SELECT p.place FROM (
        SELECT placed.place, used.site_id, row_number() OVER (PARTITION BY used.site_id ORDER BY placed.place) AS nth
        FROM placed
        CROSS JOIN LATERAL (SELECT placed.src_siteid UNION SELECT placed.dst_siteid) AS used(site_id)
        WHERE placed.protocol <> 2 AND used.site_id IS NOT NULL
    ) p JOIN usable ON usable.id = p.site_id
    WHERE p.nth > usable.free
), chosen AS (
    SELECT job_id, element_id FROM (
        SELECT *, sum(size) OVER (ORDER BY place) AS total, row_number() OVER (ORDER BY place) AS nth
        FROM placed WHERE place NOT IN (SELECT place FROM crowded)
    ) a
    WHERE nth = 1 OR %(size)s::bigint IS NULL OR total <= %(size)s
    ORDER BY place LIMIT %(limit)s
), locked AS (
    SELECT e.job_id, e.id FROM element e JOIN chosen c ON c.job_id = e.job_id AND c.element_id = e.id
    WHERE e.claimable
    FOR UPDATE OF e SKIP LOCKED
)
UPDATE element e SET status = 3, lease = gen_random_uuid(), monitoring = NULL, holder = %(holder)s,
    lease_seconds = %(lease)s, lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
    changed_at = clock_timestamp()
FROM locked WHERE e.job_id = locked.job_id AND e.id = locked.id
RETURNING e.*;

-- name: take_turns
INSERT INTO turn (user_id, served) SELECT u, nextval('turns') FROM unnest(%(user_ids)s::bigint[]) u
ON CONFLICT (user_id) DO UPDATE SET served = excluded.served;

-- name: set_leases
-- Of workers that send no heartbeats: each job of the hand-out has its own time.
UPDATE element e SET lease_seconds = given.seconds,
    lease_until = clock_timestamp() + make_interval(secs => given.seconds)
FROM unnest(%(job_ids)s::bigint[], %(seconds)s::double precision[]) AS given(job_id, seconds)
WHERE e.job_id = given.job_id AND e.lease = ANY(%(leases)s) AND e.status = 3;

-- name: seconds_until_due
-- When the next element that backs off may be tried again.
SELECT extract(epoch FROM min(not_before) - now())::double precision FROM element
WHERE claimable AND not_before > now();

-- name: any_claimable
SELECT EXISTS (SELECT 1 FROM job WHERE open);

-- name: lock_reported
-- In the order of ids, so that two reports wait for each other instead of deadlocking.
SELECT e.*, j.type AS job_type FROM element e JOIN job j ON j.id = e.job_id
WHERE (e.job_id, e.id) IN (SELECT * FROM unnest(%(job_ids)s::bigint[], %(element_ids)s::integer[]))
ORDER BY e.job_id, e.id
FOR UPDATE OF e;

-- name: record_outcomes
-- One attempt each. A failed element is eligible again after a pause that doubles with every attempt.
WITH given AS (
    SELECT * FROM unnest(%(job_ids)s::bigint[], %(element_ids)s::integer[], %(oks)s::boolean[], %(logs)s::text[],
        %(workers)s::text[], %(permanents)s::boolean[], %(keeps_leases)s::boolean[], %(reasons)s::text[])
        AS g(job_id, element_id, ok, log, worker, permanent, keeps_lease, reason)
), changed AS (
    UPDATE element e SET
        status = CASE WHEN g.ok THEN 1 ELSE 2 END,
        attempts = e.attempts + 1,
        final = e.final OR g.permanent,
        reason = g.reason,
        not_before = CASE WHEN g.ok THEN e.not_before ELSE clock_timestamp() + make_interval(
            secs => least(%(longest)s::double precision, %(first)s * 2 ^ least(e.attempts, 30))) END,
        lease = CASE WHEN g.keeps_lease THEN e.lease END,
        lease_until = NULL,
        changed_at = clock_timestamp()
    FROM given g WHERE e.job_id = g.job_id AND e.id = g.element_id
    RETURNING e.job_id, e.id, e.attempts, e.parent, e.status, e.ended, g.ok, g.log, g.worker
), noted AS (
    INSERT INTO attempt (job_id, element_id, number, ok, log, worker)
    SELECT job_id, id, attempts, ok, log, worker FROM changed
)
SELECT job_id, id, parent, status, ended FROM changed;

-- name: release_parents
-- What lay in these directories is gone; a directory with nothing left in it can go too.
UPDATE element e SET waits = e.waits - gone.n
FROM (
    SELECT job_id, parent, count(*) AS n FROM unnest(%(job_ids)s::bigint[], %(parents)s::integer[]) AS g(job_id, parent)
    GROUP BY job_id, parent
) gone
WHERE e.job_id = gone.job_id AND e.id = gone.parent;

-- name: fail_ancestors
-- Something in these directories cannot be removed, so neither can they.
WITH RECURSIVE above(job_id, id) AS (
    SELECT * FROM unnest(%(job_ids)s::bigint[], %(parents)s::integer[])
    UNION
    SELECT e.job_id, e.parent FROM above a JOIN element e ON e.job_id = a.job_id AND e.id = a.id
    WHERE e.parent IS NOT NULL
)
UPDATE element e SET status = 2, final = true, reason = 'Not tried: something in this directory could not be removed',
    changed_at = clock_timestamp()
FROM above WHERE e.job_id = above.job_id AND e.id = above.id AND e.status = 0;

-- name: record_progress
-- Only under the hand-out that is valid (spec: workqueue 5.3); null numbers are a sign of life alone.
UPDATE element e SET
    status = CASE WHEN g.monitoring IS NULL THEN e.status ELSE 4 END,
    monitoring = coalesce(g.monitoring, e.monitoring),
    lease_until = clock_timestamp() + make_interval(secs => e.lease_seconds),
    changed_at = clock_timestamp()
FROM unnest(%(job_ids)s::bigint[], %(element_ids)s::integer[], %(leases)s::uuid[], %(monitoring)s::json[])
    AS g(job_id, element_id, lease, monitoring)
WHERE e.job_id = g.job_id AND e.id = g.element_id AND e.lease = g.lease AND e.status IN (3, 4)
RETURNING e.job_id, e.id, e.lease_seconds;

-- name: sizes_of_elements
SELECT e.job_id, e.id, e.size FROM element e
WHERE (e.job_id, e.id) IN (SELECT * FROM unnest(%(job_ids)s::bigint[], %(element_ids)s::integer[]));

-- name: ended_leases
SELECT job_id, id, holder, lease_seconds FROM element
WHERE status IN (3, 4) AND lease_until < now()
ORDER BY lease_until LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;
