-- Workers, accounts, projects, who may do what on them, logs and monitoring.

-- What auth-service says of workers, and how many tasks each has closed.
CREATE TABLE worker (
    id bigint PRIMARY KEY,
    alias text NOT NULL,
    paused boolean NOT NULL,
    created timestamptz NOT NULL,
    version bigint NOT NULL,
    closed_task_count bigint NOT NULL DEFAULT 0
)
-- Counters change with every closed task: room in the page keeps these updates off the indexes.
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What auth-service says of accounts.
CREATE TABLE account (
    id bigint PRIMARY KEY,
    username text NOT NULL,
    tracker_admin boolean NOT NULL,
    register_time timestamptz NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE project (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    priority integer NOT NULL,
    name text NOT NULL CONSTRAINT project_name_key UNIQUE,
    clone_url text NOT NULL,
    git_repo text NOT NULL,
    version text NOT NULL,
    motd text NOT NULL,
    public boolean NOT NULL,
    hidden boolean NOT NULL,
    chain bigint CONSTRAINT project_chain_fkey REFERENCES project,
    paused boolean NOT NULL DEFAULT false,
    assign_rate double precision NOT NULL,
    submit_rate double precision NOT NULL,
    secret text NOT NULL DEFAULT '{}',
    webhook_secret text NOT NULL DEFAULT gen_random_uuid()::text,
    closed_task_count bigint NOT NULL DEFAULT 0,
    CONSTRAINT project_public_or_hidden CHECK (NOT (public AND hidden))
)
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX project_git_repo ON project (lower(git_repo));
CREATE INDEX project_chain ON project (chain) WHERE chain IS NOT NULL;

-- A pending row is a request that nobody has accepted yet; it gives no rights.
CREATE TABLE worker_access (
    worker bigint NOT NULL REFERENCES worker,
    project bigint NOT NULL REFERENCES project,
    assign boolean NOT NULL,
    submit boolean NOT NULL,
    pending boolean NOT NULL DEFAULT true,
    PRIMARY KEY (worker, project)
);

CREATE INDEX worker_access_project ON worker_access (project);

CREATE TABLE project_role (
    account bigint NOT NULL REFERENCES account,
    project bigint NOT NULL REFERENCES project,
    role smallint NOT NULL CONSTRAINT project_role_bits CHECK (role BETWEEN 1 AND 31),
    PRIMARY KEY (account, project)
);

CREATE INDEX project_role_project ON project_role (project);

-- What workers report. "logged_at" is the worker's own word, "stored_at" is ours.
CREATE TABLE log_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level smallint NOT NULL,
    message text NOT NULL,
    data text NOT NULL,
    logged_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX log_entry_newest ON log_entry (level, logged_at DESC, id DESC);
CREATE INDEX log_entry_stored_at ON log_entry (stored_at);

CREATE TABLE snapshot (
    project bigint NOT NULL REFERENCES project,
    taken_at timestamptz NOT NULL,
    new_task_count bigint NOT NULL,
    failed_task_count bigint NOT NULL,
    closed_task_count bigint NOT NULL,
    worker_access_count bigint NOT NULL,
    awaiting_verification_count bigint NOT NULL,
    PRIMARY KEY (project, taken_at)
);

CREATE INDEX snapshot_taken_at ON snapshot (taken_at);
