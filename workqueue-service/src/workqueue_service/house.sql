-- name: trust_worker
INSERT INTO trusted_worker (worker_id, added_by) VALUES (%(worker_id)s, %(added_by)s) ON CONFLICT DO NOTHING;

-- name: distrust_worker
DELETE FROM trusted_worker WHERE worker_id = %(worker_id)s;

-- name: trusted_workers
SELECT worker_id, added_by, added_at FROM trusted_worker ORDER BY worker_id;

-- name: is_trusted
SELECT EXISTS (SELECT 1 FROM trusted_worker WHERE worker_id = %(worker_id)s);

-- name: tell_worker_changed
SELECT pg_notify('workqueue_worker', %(worker_id)s::text);
