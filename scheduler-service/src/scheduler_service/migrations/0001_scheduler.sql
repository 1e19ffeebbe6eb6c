-- Functions, jobs and executions.

CREATE TABLE runtime (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    name text,
    image text NOT NULL,
    description text,
    is_public boolean NOT NULL DEFAULT true,
    trusted boolean NOT NULL DEFAULT true,
    status text NOT NULL CHECK (status IN ('creating', 'available', 'upgrading', 'error', 'deleting')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz
);

-- So that functions can be made without an administrator.
INSERT INTO runtime (id, project_id, name, image, description, status) VALUES (
    'b5b1a4f0-6a9d-4e0c-8f57-2f1d7f0c3a11', 'taskyard', 'python3', 'python3', 'The Python that comes with Taskyard', 'available'
);

CREATE TABLE function (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    name text,
    description text,
    source text NOT NULL CHECK (source IN ('package', 'image', 'task', 'transfer', 'poller', 'http')),
    -- A JSON object, not as jsonb: what a client wrote comes back in its order.
    code text NOT NULL,
    cpu integer NOT NULL,
    memory_size integer NOT NULL,
    timeout integer NOT NULL,
    runtime_id uuid REFERENCES runtime,
    entry text,
    count bigint NOT NULL DEFAULT 0,
    latest_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz
);

CREATE INDEX function_project ON function (project_id, created_at, id);

CREATE TABLE function_version (
    id uuid PRIMARY KEY,
    function_id uuid NOT NULL REFERENCES function ON DELETE CASCADE,
    project_id text NOT NULL,
    version_number integer NOT NULL,
    description text,
    count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz,
    UNIQUE (function_id, version_number)
);

CREATE TABLE function_package (
    function_id uuid NOT NULL REFERENCES function ON DELETE CASCADE,
    -- 0 is the function's current code.
    version_number integer NOT NULL,
    md5sum text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (function_id, version_number)
);

CREATE TABLE function_alias (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    name text NOT NULL,
    function_id uuid NOT NULL REFERENCES function,
    function_version integer NOT NULL DEFAULT 0,
    description text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz,
    UNIQUE (project_id, name),
    UNIQUE (project_id, function_id, function_version)
);

CREATE INDEX function_alias_function ON function_alias (function_id);

CREATE TABLE job (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    -- In whose name its executions act on other services.
    owner_kind text NOT NULL,
    owner_id bigint NOT NULL,
    name text,
    -- No foreign key: a finished job keeps the id of a function that is gone.
    function_id uuid,
    function_alias text,
    function_version integer NOT NULL DEFAULT 0,
    function_input text,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'paused', 'cancelled', 'done')),
    pattern text,
    count integer CHECK (count >= 0),
    first_execution_time timestamptz NOT NULL,
    next_execution_time timestamptz NOT NULL,
    -- next_execution_time and this occurrence's share of the jitter.
    due_at timestamptz NOT NULL,
    timezone text,
    misfire_policy text CHECK (misfire_policy IN ('once', 'all', 'none')),
    overlap_policy text CHECK (overlap_policy IN ('allow', 'forbid', 'replace')),
    jitter integer CHECK (jitter >= 0),
    -- Grows with every change, so that of two events about one job the newer can be told.
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz,
    CHECK (function_id IS NOT NULL OR function_alias IS NOT NULL)
)
-- Each firing leaves the index of due jobs at its head: vacuum by count, or every claim walks over the dead.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX job_due ON job (due_at, id) WHERE status = 'running';
CREATE INDEX job_project ON job (project_id, created_at, id);
CREATE INDEX job_active_function ON job (function_id) WHERE status IN ('running', 'paused');
CREATE INDEX job_active_alias ON job (project_id, function_alias) WHERE status IN ('running', 'paused');

CREATE TABLE execution (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    owner_kind text NOT NULL,
    owner_id bigint NOT NULL,
    function_id uuid,
    function_version integer NOT NULL DEFAULT 0,
    function_alias text,
    source text,
    description text,
    status text NOT NULL CHECK (status IN ('running', 'success', 'failed', 'error')),
    -- What has happened to a running one: nobody has it, a process works on it, another service was told.
    stage text NOT NULL CHECK (stage IN ('ready', 'taken', 'sent', 'ended')),
    sync boolean NOT NULL,
    input text,
    result text,
    logs text,
    job_id uuid,
    planned_time timestamptz,
    -- When a running one ends in error unless its lease is renewed or it ends before.
    lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz,
    -- What makes every occurrence happen once, whatever the clocks and the processes do.
    UNIQUE (job_id, planned_time),
    CHECK ((status = 'running') = (stage <> 'ended')),
    CHECK (status <> 'running' OR lease_until IS NOT NULL)
)
WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX execution_ready ON execution (source, created_at, id) WHERE stage = 'ready';
CREATE INDEX execution_lease ON execution (lease_until) WHERE status = 'running';
CREATE INDEX execution_running_job ON execution (job_id) WHERE status = 'running';
CREATE INDEX execution_project ON execution (project_id, created_at, id);

-- Whether a value passes a filter of a query string; without an operator everything does.
CREATE FUNCTION passes(value text, operator text, wanted text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS '
    SELECT CASE operator
        WHEN ''eq'' THEN value = wanted[1]
        WHEN ''neq'' THEN value <> wanted[1]
        WHEN ''gt'' THEN value > wanted[1]
        WHEN ''gte'' THEN value >= wanted[1]
        WHEN ''lt'' THEN value < wanted[1]
        WHEN ''lte'' THEN value <= wanted[1]
        WHEN ''in'' THEN value = ANY (wanted)
        WHEN ''nin'' THEN value <> ALL (wanted)
        WHEN ''has'' THEN position(wanted[1] IN value) > 0
        ELSE true
    END
';
