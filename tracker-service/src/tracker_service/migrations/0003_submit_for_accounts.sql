-- Tasks may also come from an account (the command tracker.task.submit): then there is no worker, and who calls has
-- checked the account's role. Otherwise as before.

CREATE OR REPLACE FUNCTION submit_tasks(p_project bigint, p_worker bigint, p_tasks json)
RETURNS TABLE (outcome text, delay double precision, stored integer)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_rate double precision;
BEGIN
    delay := 0;
    stored := 0;
    SELECT p.submit_rate INTO v_rate FROM project AS p WHERE p.id = p_project;
    IF NOT FOUND THEN
        outcome := 'no_project';
        RETURN NEXT;
        RETURN;
    END IF;
    IF p_worker IS NOT NULL AND NOT EXISTS (
        SELECT FROM worker_access AS a
        WHERE a.worker = p_worker AND a.project = p_project AND NOT a.pending AND a.submit
    ) THEN
        outcome := 'denied';
        RETURN NEXT;
        RETURN;
    END IF;
    IF is_limited(v_rate) THEN
        delay := bucket_delay(p_project, 'submit');
        IF delay > 0 THEN
            outcome := 'limited';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    INSERT INTO task (project, hash64, max_assign_time, priority, max_retries, verification_count, recipe)
    SELECT p_project, t.hash64, t.max_assign_time, t.priority, t.max_retries, t.verification_count, t.recipe
    FROM json_to_recordset(p_tasks) AS t (
        hash64 bigint, max_assign_time integer, priority smallint, max_retries smallint, verification_count smallint,
        recipe text
    )
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored > 0 THEN
        IF is_limited(v_rate) THEN
            PERFORM bucket_charge(p_project, 'submit', stored, v_rate);
        END IF;
        PERFORM pg_notify('tasks_ready', p_project || ' ' || stored);
    END IF;
    outcome := 'stored';
    RETURN NEXT;
END
$$;
