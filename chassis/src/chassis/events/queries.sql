-- name: insert_events
-- Ids in the order of the list. The notification goes out when the caller's transaction commits, never before.
WITH event AS (
    INSERT INTO outbox (type, envelope)
    SELECT %(type)s, envelope
    FROM json_array_elements_text(%(envelopes)s::json) WITH ORDINALITY AS new (envelope, number)
    ORDER BY number RETURNING id
)
SELECT pg_notify('outbox', '') FROM (SELECT count(*) FROM event) AS anything;

-- name: lead_relay
-- Held by the session of the one relay that sends; gone with that session.
SELECT pg_try_advisory_lock(1952544107, 1) AS leads;

-- name: oldest_events
-- Ids of one subject are in the order of its changes, because the change locks the subject's row first.
SELECT id, type, envelope FROM outbox ORDER BY id LIMIT %(limit)s;

-- name: forget_sent
-- Only what the broker has confirmed; types that somebody receives are kept for a while (chassis.events.resend).
WITH sent AS (DELETE FROM outbox WHERE id = ANY(%(ids)s) RETURNING id, type, envelope)
INSERT INTO sent_event (id, type, envelope)
SELECT id, type, envelope FROM sent WHERE type = ANY(%(kept)s) ON CONFLICT DO NOTHING;

-- name: send_again
-- In the order in which they were sent first.
WITH again AS (
    DELETE FROM sent_event WHERE type = ANY(%(types)s) RETURNING id, type, envelope
), back AS (
    INSERT INTO outbox (type, envelope) SELECT type, envelope FROM again ORDER BY id RETURNING id
)
SELECT pg_notify('outbox', '') FROM (SELECT 1 FROM back LIMIT 1) AS anything;

-- name: prune_sent
-- In pieces, so that no lock is held for long.
DELETE FROM sent_event WHERE id IN (
    SELECT id FROM sent_event WHERE sent_at < clock_timestamp() - make_interval(days => %(days)s) LIMIT %(limit)s
);

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

-- name: accept_command
-- Touches no row when the command was answered before; waits for a colleague who works on it at this moment.
INSERT INTO answered_command (command_id) VALUES (%(id)s) ON CONFLICT DO NOTHING;

-- name: keep_answer
UPDATE answered_command SET answer = %(answer)s WHERE command_id = %(id)s;

-- name: answer_to_command
SELECT answer FROM answered_command WHERE command_id = %(id)s;

-- name: prune_answers
DELETE FROM answered_command WHERE received_at < clock_timestamp() - make_interval(days => %(days)s);

-- name: remember_commands
INSERT INTO pending_command (command_id, type, subject, service, data, traceparent, next_at)
SELECT id, type, subject, service, data, traceparent, clock_timestamp() + make_interval(secs => %(seconds)s)
FROM json_to_recordset(%(commands)s::json)
    AS new (id uuid, type text, subject text, service text, data text, traceparent text);

-- name: forget_command
DELETE FROM pending_command WHERE command_id = %(id)s;

-- name: due_commands
-- Each wait is twice the last one; a colleague who repeats at this moment has locked its rows.
UPDATE pending_command SET
    sent = sent + 1,
    next_at = clock_timestamp() + make_interval(secs => least(%(first)s * 2 ^ least(sent, 20), %(longest)s))
WHERE command_id IN (
    SELECT command_id FROM pending_command WHERE next_at <= clock_timestamp()
    ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING type, subject, service, data, traceparent;

-- name: unanswered_commands
SELECT count(*) FROM pending_command;
