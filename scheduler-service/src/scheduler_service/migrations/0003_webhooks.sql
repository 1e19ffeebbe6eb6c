-- Webhooks: addresses that anybody may call to run a function.

CREATE TABLE webhook (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    -- In whose name its executions act on other services.
    owner_kind text NOT NULL,
    owner_id bigint NOT NULL,
    function_id uuid REFERENCES function,
    function_alias text,
    function_version integer,
    description text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz,
    CHECK ((function_id IS NULL) = (function_alias IS NOT NULL)),
    CHECK ((function_id IS NULL) = (function_version IS NULL))
);

CREATE INDEX webhook_project ON webhook (project_id, created_at, id);
CREATE INDEX webhook_function ON webhook (function_id);
CREATE INDEX webhook_alias ON webhook (project_id, function_alias);
