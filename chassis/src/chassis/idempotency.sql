-- name: begin
-- Take the place of a key: a free one, one whose answer is too old, or one whose run has died.
INSERT INTO idempotency AS old (place, run, request) VALUES (%(place)s, %(run)s, %(request)s)
ON CONFLICT (place) DO UPDATE SET
    run = EXCLUDED.run, request = EXCLUDED.request, answer = NULL, began_at = now()
WHERE old.began_at < now() - make_interval(secs => %(kept)s)
   OR (old.answer IS NULL AND old.began_at < now() - make_interval(secs => %(dead)s));

-- name: earlier
-- What the first request was and, when it has ended, its answer.
SELECT request, answer FROM idempotency WHERE place = %(place)s;

-- name: finish
-- Keep the answer, unless another run has taken the place.
UPDATE idempotency SET answer = %(answer)s WHERE place = %(place)s AND run = %(run)s;

-- name: release
-- Nothing was created: the key is free again. With an answer the commit succeeded, though nobody could tell us so.
DELETE FROM idempotency WHERE place = %(place)s AND run = %(run)s AND answer IS NULL;

-- name: prune
-- Answers that are no longer given.
DELETE FROM idempotency WHERE began_at < now() - make_interval(secs => %(kept)s);
