-- Tasks, their leases and verifications, rate limits, and the functions through which tasks change hands.
--
-- The functions hold the rules of spec: tracker 5.3 and 6 for a batch of requests: one round trip and one commit for
-- all requests that wait at the same moment. Their SET clauses fix the shape of the plans: a plan made while the
-- table was empty must still be right after a bulk load that no ANALYZE has seen.

CREATE TABLE task (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign key: projects are never deleted, and the check would cost as much as the row itself.
    project bigint NOT NULL,
    hash64 bigint,
    assignee bigint,
    assign_time timestamptz,
    lease_until timestamptz,
    max_assign_time integer NOT NULL,
    priority smallint NOT NULL,
    status smallint NOT NULL DEFAULT 1,
    retries smallint NOT NULL DEFAULT 0,
    max_retries smallint NOT NULL,
    verification_count smallint NOT NULL,
    recipe text NOT NULL,
    CONSTRAINT task_status CHECK (status = 1 OR (status = 2 AND assignee IS NULL)),
    CONSTRAINT task_lease CHECK ((assignee IS NULL) = (lease_until IS NULL))
)
-- Claims and releases kill a row version each, at the head of the ready index: vacuum by count, not by share.
WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
      autovacuum_analyze_scale_factor = 0.2, autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_vacuum_cost_delay = 1);

-- Only tasks with a hash can be duplicates; the name is part of the API (spec: tracker 4.4).
CREATE UNIQUE INDEX project_hash_unique ON task (project, hash64) WHERE hash64 IS NOT NULL;
-- In the order of claims; the sign lets one row comparison say "behind this task".
CREATE INDEX task_ready ON task (project, (-priority::integer), id) WHERE assignee IS NULL AND status = 1;
CREATE INDEX task_leased ON task (lease_until) WHERE assignee IS NOT NULL;
CREATE INDEX task_failed ON task (project) WHERE status = 2;

CREATE TABLE task_verification (
    task bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    worker bigint NOT NULL,
    hash bigint NOT NULL,
    PRIMARY KEY (task, worker)
);

CREATE INDEX task_verification_worker ON task_verification (worker);

-- Tasks that closed or failed and that no event has told of yet: many of them travel in one event.
CREATE TABLE task_ended (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outcome text NOT NULL,
    project bigint NOT NULL,
    task bigint NOT NULL,
    worker bigint NOT NULL,
    chained_to bigint
)
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- A token bucket of capacity 1 needs one number: the Unix time at which it is full again (spec: tracker 6).
-- Only projects with a limit have rows here.
CREATE TABLE rate_bucket (
    project bigint NOT NULL,
    kind text NOT NULL,
    full_at double precision NOT NULL,
    PRIMARY KEY (project, kind)
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Takes the bucket for the rest of the transaction and returns the seconds until it has a token, 0 when it has one.
CREATE FUNCTION bucket_delay(p_project bigint, p_kind text) RETURNS double precision
LANGUAGE plpgsql AS $$
DECLARE
    v_full_at double precision;
BEGIN
    LOOP
        SELECT full_at INTO v_full_at FROM rate_bucket WHERE project = p_project AND kind = p_kind FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO rate_bucket VALUES (p_project, p_kind, 0) ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN greatest(v_full_at - extract(epoch FROM clock_timestamp()), 0);
END
$$;

-- Takes p_tokens from a bucket that had one. It may go below zero: later requests wait for a batch (spec: tracker Q-15).
CREATE FUNCTION bucket_charge(p_project bigint, p_kind text, p_tokens integer, p_rate double precision) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE rate_bucket
    SET full_at = extract(epoch FROM clock_timestamp()) + p_tokens / greatest(p_rate, 1e-9)
    WHERE project = p_project AND kind = p_kind;
END
$$;

-- The rate that never refuses, the largest double precision number (spec: tracker 6).
CREATE FUNCTION is_limited(p_rate double precision) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT p_rate < 1.7976931348623157e308 $$;

-- Decides a batch of requests for tasks, in the order of their projects so that batches cannot wait for each other in
-- a circle. Project 0 is any project, by priority. One row per leased task, or one row that says why there is none:
--   leased       here is a task; "project_json" stands in the first row of each project only
--   paused       the worker is paused
--   no_project   there is no such project
--   limited      the project's bucket is empty for "delay" seconds
--   excluded     nothing for this worker, though others might get something
--   none         nothing at all
CREATE FUNCTION claim_tasks(p_projects bigint[], p_workers bigint[], p_counts integer[])
RETURNS TABLE (
    item integer, outcome text, delay double precision, project_json text, project bigint, id bigint,
    priority smallint, assignee bigint, retries smallint, max_retries smallint, status smallint, recipe text,
    max_assign_time integer, assign_time bigint, verification_count smallint
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_item record;
    v_project project%ROWTYPE;
    v_task task%ROWTYPE;
    v_candidates bigint[];
    v_candidate bigint;
    v_assigns boolean;
    v_left integer;
    v_leased integer;
    v_delay double precision;
    v_told bigint[] := '{}';
    -- Behind which task to look on. The entries of leased tasks stay at the head of the index until the next vacuum:
    -- a batch passes them once, not once for each item, unless a verification may have made an item pass a task.
    v_verifying boolean := EXISTS (SELECT FROM task_verification AS v WHERE v.worker = ANY (p_workers));
    v_floor_of bigint := 0;
    v_floor_rank integer;
    v_floor_id bigint;
BEGIN
    FOR v_item IN
        SELECT i.*, coalesce(w.paused, false) AS paused
        FROM unnest(p_projects, p_workers, p_counts) WITH ORDINALITY AS i (project, worker, wanted, position)
        LEFT JOIN worker AS w ON w.id = i.worker
        ORDER BY i.project, i.position
    LOOP
        item := v_item.position - 1;
        outcome := 'none';
        delay := 0;
        v_left := v_item.wanted;
        v_candidates := ARRAY[v_item.project];
        IF v_item.paused THEN
            outcome := 'paused';
            v_candidates := '{}';
        ELSIF v_item.project = 0 THEN
            v_candidates := ARRAY(
                SELECT p.id FROM project AS p
                -- EXISTS could be planned as a pass over every ready task.
                WHERE NOT p.paused AND (
                    SELECT true FROM task AS t
                    WHERE t.project = p.id AND t.assignee IS NULL AND t.status = 1
                    LIMIT 1
                )
                ORDER BY p.priority DESC, p.id
            );
        END IF;
        FOREACH v_candidate IN ARRAY v_candidates LOOP
            SELECT p.* INTO v_project FROM project AS p WHERE p.id = v_candidate;
            IF NOT FOUND THEN
                outcome := 'no_project';
                EXIT;
            END IF;
            -- An accepted SUBMIT includes Assign, as documented.
            v_assigns := v_project.public OR EXISTS (
                SELECT FROM worker_access AS a
                WHERE a.worker = v_item.worker AND a.project = v_candidate AND NOT a.pending AND (a.assign OR a.submit)
            );
            CONTINUE WHEN v_project.paused OR NOT v_assigns;
            IF is_limited(v_project.assign_rate) THEN
                v_delay := bucket_delay(v_candidate, 'assign');
                IF v_delay > 0 THEN
                    IF outcome <> 'limited' OR v_delay < delay THEN
                        outcome := 'limited';
                        delay := v_delay;
                    END IF;
                    CONTINUE;
                END IF;
            END IF;
            IF v_verifying OR v_floor_of <> v_candidate THEN
                v_floor_of := v_candidate;
                v_floor_rank := -100000;
                v_floor_id := 0;
            END IF;
            v_leased := 0;
            FOR v_task IN
                WITH pick AS MATERIALIZED (
                    SELECT t.id
                    FROM task AS t
                    WHERE t.project = v_candidate AND t.assignee IS NULL AND t.status = 1
                      AND (-t.priority::integer, t.id) > (v_floor_rank, v_floor_id)
                      -- The ARRAY keeps the planner from reading all verifications of the worker beforehand.
                      AND (t.verification_count <= 1 OR v_item.worker <> ALL (
                              ARRAY(SELECT v.worker FROM task_verification AS v WHERE v.task = t.id)))
                    ORDER BY -t.priority::integer, t.id
                    LIMIT v_left
                    FOR UPDATE SKIP LOCKED
                )
                UPDATE task AS t
                SET assignee = v_item.worker, assign_time = now(),
                    lease_until = now() + t.max_assign_time * interval '1 second'
                FROM pick
                WHERE t.id = pick.id
                RETURNING t.*
            LOOP
                v_leased := v_leased + 1;
                IF (-v_task.priority::integer, v_task.id) > (v_floor_rank, v_floor_id) THEN
                    v_floor_rank := -v_task.priority::integer;
                    v_floor_id := v_task.id;
                END IF;
                outcome := 'leased';
                delay := 0;
                project_json := NULL;
                IF v_candidate <> ALL (v_told) THEN
                    v_told := v_told || v_candidate;
                    project_json := json_build_object(
                        'id', v_project.id, 'priority', v_project.priority, 'name', v_project.name,
                        'clone_url', v_project.clone_url, 'git_repo', v_project.git_repo,
                        'version', v_project.version, 'motd', v_project.motd, 'public', v_project.public,
                        'hidden', v_project.hidden, 'chain', coalesce(v_project.chain, 0),
                        'paused', v_project.paused, 'assign_rate', v_project.assign_rate,
                        'submit_rate', v_project.submit_rate
                    );
                END IF;
                project := v_candidate;
                id := v_task.id;
                priority := v_task.priority;
                assignee := v_task.assignee;
                retries := v_task.retries;
                max_retries := v_task.max_retries;
                status := v_task.status;
                recipe := v_task.recipe;
                max_assign_time := v_task.max_assign_time;
                assign_time := extract(epoch FROM v_task.assign_time);
                verification_count := v_task.verification_count;
                RETURN NEXT;
            END LOOP;
            IF v_leased > 0 AND is_limited(v_project.assign_rate) THEN
                PERFORM bucket_charge(v_candidate, 'assign', v_leased, v_project.assign_rate);
            END IF;
            v_left := v_left - v_leased;
            EXIT WHEN v_left = 0;
            IF outcome = 'none' AND EXISTS (
                SELECT FROM task AS t WHERE t.project = v_candidate AND t.assignee IS NULL AND t.status = 1
            ) THEN
                outcome := 'excluded';
            END IF;
        END LOOP;
        IF v_left = v_item.wanted THEN
            project := v_item.project;
            id := NULL;
            project_json := NULL;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

-- Decides a batch of releases (spec: tracker 5.3), in the order of the tasks, then counts. One row per release:
--   closed       and deleted; "chained_to" is its copy, "dropped" says that the copy's hash was there already
--   failed       its retries are used up
--   requeued     failed and to be tried again
--   skipped      as if it had never been leased
--   counted      verified, and waiting for more workers to agree
--   refused      not leased to this worker, or no such result
CREATE FUNCTION release_tasks(p_tasks bigint[], p_workers bigint[], p_results bigint[], p_hashes bigint[])
RETURNS TABLE (item integer, outcome text, project bigint, chained_to bigint, dropped boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_item record;
    v_task task%ROWTYPE;
    v_chain bigint;
    v_chain_of bigint := 0;
    v_agreeing bigint;
    v_ready bigint[] := '{}';
    v_closed bigint[] := '{}';
    v_closers bigint[] := '{}';
    v_row record;
BEGIN
    FOR v_item IN
        SELECT i.*
        FROM unnest(p_tasks, p_workers, p_results, p_hashes) WITH ORDINALITY AS i (task, worker, result, hash, position)
        ORDER BY i.task, i.position
    LOOP
        item := v_item.position - 1;
        outcome := 'refused';
        chained_to := NULL;
        dropped := false;
        project := NULL;
        IF v_item.result = 0 THEN
            DELETE FROM task AS t
            WHERE t.id = v_item.task AND t.assignee = v_item.worker AND t.verification_count <= 1
            RETURNING t.* INTO v_task;
            IF FOUND THEN
                outcome := 'closed';
            ELSE
                SELECT t.* INTO v_task FROM task AS t
                WHERE t.id = v_item.task AND t.assignee = v_item.worker FOR UPDATE;
                IF FOUND THEN
                    INSERT INTO task_verification (task, worker, hash) VALUES (v_task.id, v_item.worker, v_item.hash);
                    SELECT count(*) INTO v_agreeing FROM task_verification AS v
                    WHERE v.task = v_task.id AND v.hash = v_item.hash;
                    IF v_agreeing >= v_task.verification_count THEN
                        DELETE FROM task AS t WHERE t.id = v_task.id;
                        outcome := 'closed';
                    ELSE
                        UPDATE task AS t SET assignee = NULL, assign_time = NULL, lease_until = NULL
                        WHERE t.id = v_task.id;
                        outcome := 'counted';
                    END IF;
                END IF;
            END IF;
        ELSIF v_item.result = 1 THEN
            UPDATE task AS t
            SET assignee = NULL, assign_time = NULL, lease_until = NULL, retries = t.retries + 1,
                status = CASE WHEN t.retries + 1 >= t.max_retries THEN 2 ELSE 1 END
            WHERE t.id = v_item.task AND t.assignee = v_item.worker
            RETURNING t.* INTO v_task;
            IF FOUND THEN
                outcome := CASE v_task.status WHEN 2 THEN 'failed' ELSE 'requeued' END;
            END IF;
        ELSIF v_item.result = 2 THEN
            UPDATE task AS t SET assignee = NULL, assign_time = NULL, lease_until = NULL
            WHERE t.id = v_item.task AND t.assignee = v_item.worker
            RETURNING t.* INTO v_task;
            IF FOUND THEN
                outcome := 'skipped';
            END IF;
        END IF;
        IF outcome <> 'refused' THEN
            project := v_task.project;
        END IF;
        IF outcome IN ('requeued', 'skipped', 'counted') THEN
            v_ready := v_ready || v_task.project;
        ELSIF outcome = 'closed' THEN
            v_closed := v_closed || v_task.project;
            v_closers := v_closers || v_item.worker;
            IF v_chain_of <> v_task.project THEN
                SELECT p.chain INTO v_chain FROM project AS p WHERE p.id = v_task.project;
                v_chain_of := v_task.project;
            END IF;
            IF v_chain IS NOT NULL THEN
                INSERT INTO task AS t
                    (project, hash64, max_assign_time, priority, max_retries, verification_count, recipe)
                VALUES (v_chain, v_task.hash64, v_task.max_assign_time, v_task.priority, v_task.max_retries,
                        v_task.verification_count, v_task.recipe)
                ON CONFLICT DO NOTHING
                RETURNING t.id INTO chained_to;
                dropped := chained_to IS NULL;
                IF NOT dropped THEN
                    v_ready := v_ready || v_chain;
                END IF;
            END IF;
        END IF;
        IF outcome IN ('closed', 'failed') THEN
            INSERT INTO task_ended (outcome, project, task, worker, chained_to)
            VALUES (outcome, project, v_task.id, v_item.worker, chained_to);
        END IF;
        RETURN NEXT;
    END LOOP;
    -- Counters last and in the order of their ids: batches of several processes meet here all the time.
    FOR v_row IN SELECT c.id, count(*) AS tasks FROM unnest(v_closed) AS c (id) GROUP BY c.id ORDER BY c.id LOOP
        UPDATE project AS p SET closed_task_count = p.closed_task_count + v_row.tasks WHERE p.id = v_row.id;
    END LOOP;
    FOR v_row IN SELECT c.id, count(*) AS tasks FROM unnest(v_closers) AS c (id) GROUP BY c.id ORDER BY c.id LOOP
        UPDATE worker AS w SET closed_task_count = w.closed_task_count + v_row.tasks WHERE w.id = v_row.id;
    END LOOP;
    FOR v_row IN SELECT r.id, count(*) AS tasks FROM unnest(v_ready) AS r (id) GROUP BY r.id LOOP
        PERFORM pg_notify('tasks_ready', v_row.id || ' ' || v_row.tasks);
    END LOOP;
END
$$;

-- Decides one submission of any number of tasks, a JSON list, to one project (spec: tracker 4.4):
--   stored       "stored" of them, the others have a hash that is there already
--   no_project, denied, limited (with "delay")
CREATE FUNCTION submit_tasks(p_project bigint, p_worker bigint, p_tasks json)
RETURNS TABLE (outcome text, delay double precision, stored integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
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
    PERFORM FROM worker_access AS a
    WHERE a.worker = p_worker AND a.project = p_project AND NOT a.pending AND a.submit;
    IF NOT FOUND THEN
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

-- A change of a project, of access or of a worker can make tasks claimable for those who wait.
CREATE FUNCTION tell_tasks_may_be_ready() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'project' THEN
        PERFORM pg_notify('tasks_ready', NEW.id || ' 1000000');
    ELSIF TG_TABLE_NAME = 'worker_access' THEN
        PERFORM pg_notify('tasks_ready', NEW.project || ' 1000000');
    ELSE
        PERFORM pg_notify('tasks_ready', '0 1000000');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER project_may_be_ready AFTER UPDATE OF paused, public, assign_rate ON project
FOR EACH ROW EXECUTE FUNCTION tell_tasks_may_be_ready();
CREATE TRIGGER access_may_be_ready AFTER INSERT OR UPDATE ON worker_access
FOR EACH ROW WHEN (NOT NEW.pending) EXECUTE FUNCTION tell_tasks_may_be_ready();
CREATE TRIGGER worker_may_be_ready AFTER UPDATE OF paused ON worker
FOR EACH ROW WHEN (OLD.paused AND NOT NEW.paused) EXECUTE FUNCTION tell_tasks_may_be_ready();
