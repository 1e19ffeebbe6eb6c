-- name: occupy
-- Take the place of a key until the transaction ends, or its session does: a run that dies blocks nobody.
SELECT pg_try_advisory_xact_lock(%(number)s);

-- name: earlier
-- What the first request was, and its answer. One without answer is of a version that stored the request before it ran.
SELECT request, answer FROM idempotency
WHERE place = %(place)s AND answer IS NOT NULL AND began_at >= now() - make_interval(secs => %(kept)s);

-- name: keep
-- Keep the answer, unless a process of that version has been faster; one that still runs is told by `run`.
INSERT INTO idempotency AS old (place, run, request, answer)
VALUES (%(place)s, gen_random_uuid(), %(request)s, %(answer)s)
ON CONFLICT (place) DO UPDATE SET
    run = EXCLUDED.run, request = EXCLUDED.request, answer = EXCLUDED.answer, began_at = now()
WHERE old.answer IS NULL OR old.began_at < now() - make_interval(secs => %(kept)s);

-- name: prune
-- Answers that are no longer given.
DELETE FROM idempotency WHERE began_at < now() - make_interval(secs => %(kept)s);
