-- Jobs.

CREATE TABLE job (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_name text NOT NULL,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'in_progress', 'complete', 'failed')),
    -- A JSON object, not as jsonb: what a client wrote comes back in its order and with its numbers as they were.
    configuration text NOT NULL,
    -- Grows with every change, so that of two events about one job the newer can be told.
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
-- Each job leaves the index of new jobs at its head: vacuum by count, or every claim walks over the dead.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX job_new ON job (job_id) WHERE status = 'new';
CREATE INDEX job_new_of_user ON job (user_name, job_id) WHERE status = 'new';
CREATE INDEX job_status ON job (status, job_id);
CREATE INDEX job_user ON job (user_name, job_id);
