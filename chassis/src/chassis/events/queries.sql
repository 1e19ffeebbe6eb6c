-- name: insert_event
-- The notification goes out when the caller's transaction commits, never before.
WITH event AS (INSERT INTO outbox (type, envelope) VALUES (%(type)s, %(envelope)s) RETURNING id)
SELECT pg_notify('outbox', '') FROM event;

-- name: lead_relay
-- Held by the session of the one relay that sends; gone with that session.
SELECT pg_try_advisory_lock(1952544107, 1) AS leads;

-- name: oldest_events
-- Ids of one subject are in the order of its changes, because the change locks the subject's row first.
SELECT id, type, envelope FROM outbox ORDER BY id LIMIT %(limit)s;

-- name: forget_sent
-- Only what the broker has confirmed.
DELETE FROM outbox WHERE id = ANY(%(ids)s);

-- name: backlog
-- Counting stops where the number no longer matters.
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 100000) AS waiting) AS depth,
    coalesce(extract(epoch FROM clock_timestamp() - (SELECT created_at FROM outbox ORDER BY id LIMIT 1)), 0)::float8
        AS seconds;

-- name: accept_event
-- Touches no row when the event was handled before; waits for a colleague who handles it at this moment.
INSERT INTO inbox (event_id, type) VALUES (%(id)s, %(type)s) ON CONFLICT DO NOTHING;

-- name: prune_inbox
-- In pieces, so that no lock is held for long.
DELETE FROM inbox WHERE event_id IN (
    SELECT event_id FROM inbox WHERE received_at < clock_timestamp() - make_interval(days => %(days)s) LIMIT %(limit)s
);
