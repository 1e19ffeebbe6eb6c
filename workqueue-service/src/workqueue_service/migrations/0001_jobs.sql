-- Sites, log-ins, jobs with their elements and attempts, listings.

CREATE TABLE site (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint NOT NULL,
    name text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT '',
    def_path text NOT NULL DEFAULT '/~',
    public boolean NOT NULL DEFAULT false,
    auth_type smallint NOT NULL DEFAULT 0,
    auth_uri text NOT NULL DEFAULT '',
    user_ca_cert text,
    service_ca_cert text,
    -- The kind of all its endpoints: file, sftp, s3, webdav, http, ftp, rclone, gsiftp.
    transport text NOT NULL,
    endpoints text[] NOT NULL,
    -- What ~ means below the site's root, {user} stands for the user's id; null: the server's own log-in directory.
    home text,
    login_required boolean NOT NULL,
    max_transfers integer CHECK (max_transfers > 0),
    bandwidth bigint CHECK (bandwidth > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX site_owner ON site (owner_id);

-- A user's log-in at a site: what it takes to get in, encrypted with a key that is not in the database.
CREATE TABLE site_session (
    site_id bigint NOT NULL REFERENCES site ON DELETE CASCADE,
    user_id bigint NOT NULL,
    username text NOT NULL,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, user_id)
);

CREATE INDEX site_session_user ON site_session (user_id);

-- The counters are kept by the triggers on element below; status follows from them in every statement
-- (spec: workqueue 5.5): 0 NEW, 1 DONE, 2 FAILED, 3 SUBMITTED, 4 RUNNING.
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    log_uid uuid NOT NULL DEFAULT gen_random_uuid(),
    type smallint NOT NULL CHECK (type BETWEEN 0 AND 4),
    protocol smallint NOT NULL CHECK (protocol BETWEEN 0 AND 2),
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    -- Of each round: a retried element gets as many again.
    max_tries integer NOT NULL DEFAULT 2,
    src_siteid bigint NOT NULL,
    dst_siteid bigint,
    src_filepath text NOT NULL,
    dst_filepath text,
    -- json, not jsonb: what the client wrote comes back as it was.
    extra_opts json,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    ended_at timestamptz,
    -- Whether the end was told to the house.
    announced boolean NOT NULL DEFAULT false,
    num_elements integer NOT NULL DEFAULT 0,
    num_new integer NOT NULL DEFAULT 0,
    num_done integer NOT NULL DEFAULT 0,
    num_failed integer NOT NULL DEFAULT 0,
    num_submitted integer NOT NULL DEFAULT 0,
    num_running integer NOT NULL DEFAULT 0,
    num_claimable integer NOT NULL DEFAULT 0,
    num_ended integer NOT NULL DEFAULT 0,
    status smallint NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN num_running > 0 THEN 4
            WHEN num_submitted > 0 THEN 3
            WHEN num_new = num_elements THEN 0
            WHEN num_new > 0 THEN 3
            WHEN num_failed > 0 THEN 2
            ELSE 1
        END) STORED,
    open boolean NOT NULL GENERATED ALWAYS AS (num_claimable > 0) STORED
)
WITH (fillfactor = 50);

CREATE INDEX job_of_user ON job (user_id, id);
-- Where claims look: whose turn it is, then what is most urgent.
CREATE INDEX job_open ON job (user_id, priority, id) WHERE open;
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE element (
    job_id bigint NOT NULL REFERENCES job ON DELETE CASCADE,
    id integer NOT NULL,
    type smallint NOT NULL,
    status smallint NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 4),
    src_filepath text NOT NULL,
    dst_filepath text,
    size bigint NOT NULL DEFAULT 0,
    max_tries integer NOT NULL,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts <= max_tries),
    -- No further attempt, whatever max_tries says: a permanent error, a cancelled job.
    final boolean NOT NULL DEFAULT false,
    -- Why it ended without a report of a worker, for people.
    reason text,
    -- A directory to remove waits until everything below it is gone.
    parent integer,
    waits integer NOT NULL DEFAULT 0 CHECK (waits >= 0),
    -- Back-off.
    not_before timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    monitoring json,
    -- The hand-out that is valid: tokens of earlier ones are refused. Kept after a report, so that a late report
    -- after a failed one is known; dropped when a lease ends.
    lease uuid,
    lease_until timestamptz,
    lease_seconds double precision,
    holder text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    claimable boolean NOT NULL GENERATED ALWAYS AS (
        status IN (0, 2) AND attempts < max_tries AND NOT final AND waits = 0) STORED,
    ended boolean NOT NULL GENERATED ALWAYS AS (
        status = 1 OR (status = 2 AND (final OR attempts >= max_tries))) STORED,
    PRIMARY KEY (job_id, id)
)
-- Elements leave the index of claimable ones at its head: vacuum by count, or claims walk over the dead.
WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

CREATE INDEX element_claimable ON element (job_id, id) INCLUDE (not_before) WHERE claimable;
CREATE INDEX element_due ON element (not_before) WHERE claimable;
CREATE INDEX element_out ON element (lease_until) WHERE status IN (3, 4);

CREATE TABLE attempt (
    job_id bigint NOT NULL,
    element_id integer NOT NULL,
    number integer NOT NULL,
    ok boolean NOT NULL,
    log text NOT NULL,
    worker text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, element_id, number),
    FOREIGN KEY (job_id, element_id) REFERENCES element ON DELETE CASCADE
);

-- Listings by row: 100,000 files never are one value in anybody's memory.
CREATE TABLE listing_directory (
    job_id bigint NOT NULL,
    element_id integer NOT NULL,
    seq integer NOT NULL,
    path text NOT NULL,
    -- The path as elements have it; null when it is none that may be used.
    norm text,
    PRIMARY KEY (job_id, element_id, seq),
    FOREIGN KEY (job_id, element_id) REFERENCES element ON DELETE CASCADE
);

CREATE TABLE listing_entry (
    job_id bigint NOT NULL,
    element_id integer NOT NULL,
    directory integer NOT NULL,
    seq integer NOT NULL,
    name text NOT NULL,
    mode integer NOT NULL,
    size bigint NOT NULL,
    entry json NOT NULL,
    PRIMARY KEY (job_id, element_id, directory, seq)
);

-- Instead of a foreign key, which costs as much for each of 100,000 entries as the entry itself.
CREATE FUNCTION forget_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM listing_entry e USING gone
    WHERE e.job_id = gone.job_id AND e.element_id = gone.element_id AND e.directory = gone.seq;
    RETURN NULL;
END $$;

CREATE TRIGGER listing_directory_deleted AFTER DELETE ON listing_directory
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_entries();

-- When each user was last served: whoever has waited longest is next.
CREATE TABLE turn (
    user_id bigint PRIMARY KEY,
    served bigint NOT NULL
)
WITH (fillfactor = 50);
CREATE SEQUENCE turns;

-- Workers that an administrator trusts with other people's credentials.
CREATE TABLE trusted_worker (
    worker_id bigint PRIMARY KEY,
    added_by bigint NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);

-- Brings the counters of jobs up to date with what one statement did to their elements, and says so to whoever
-- watches the jobs. Jobs are locked in the order of their ids, so that two statements wait instead of deadlocking.
CREATE FUNCTION count_elements() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change record;
BEGIN
    FOR change IN EXECUTE format($q$
        SELECT job_id, sum(n)::int AS elements,
            (sum(n) FILTER (WHERE status = 0))::int AS new, (sum(n) FILTER (WHERE status = 1))::int AS done,
            (sum(n) FILTER (WHERE status = 2))::int AS failed, (sum(n) FILTER (WHERE status = 3))::int AS submitted,
            (sum(n) FILTER (WHERE status = 4))::int AS running,
            (sum(n) FILTER (WHERE claimable))::int AS claimable, (sum(n) FILTER (WHERE ended))::int AS ended
        FROM (%s) AS rows GROUP BY job_id ORDER BY job_id $q$, CASE TG_OP
            WHEN 'INSERT' THEN 'SELECT job_id, status, claimable, ended, 1 AS n FROM added'
            ELSE 'SELECT job_id, status, claimable, ended, 1 AS n FROM added UNION ALL '
                'SELECT job_id, status, claimable, ended, -1 FROM removed' END)
    LOOP
        UPDATE job SET
            num_elements = num_elements + change.elements,
            num_new = num_new + coalesce(change.new, 0),
            num_done = num_done + coalesce(change.done, 0),
            num_failed = num_failed + coalesce(change.failed, 0),
            num_submitted = num_submitted + coalesce(change.submitted, 0),
            num_running = num_running + coalesce(change.running, 0),
            num_claimable = num_claimable + coalesce(change.claimable, 0),
            num_ended = num_ended + coalesce(change.ended, 0),
            changed_at = clock_timestamp(),
            ended_at = CASE
                WHEN num_ended + coalesce(change.ended, 0) = num_elements + change.elements
                THEN coalesce(ended_at, clock_timestamp()) END
        WHERE id = change.job_id AND (
            change.elements, coalesce(change.new, 0), coalesce(change.done, 0), coalesce(change.failed, 0),
            coalesce(change.submitted, 0), coalesce(change.running, 0), coalesce(change.claimable, 0),
            coalesce(change.ended, 0)) <> (0, 0, 0, 0, 0, 0, 0, 0);
        IF FOUND THEN
            PERFORM pg_notify('workqueue_job', change.job_id::text);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER element_inserted AFTER INSERT ON element
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_elements();
CREATE TRIGGER element_updated AFTER UPDATE ON element
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_elements();
