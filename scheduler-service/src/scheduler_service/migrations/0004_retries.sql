-- Jobs whose executions are run again when they fail (docs/explanation/when-jobs-fire.md).

ALTER TABLE job ADD COLUMN retries integer CHECK (retries BETWEEN 0 AND 10);
-- Seconds before the first of them; each further pause is twice as long.
ALTER TABLE job ADD COLUMN retry_delay integer CHECK (retry_delay BETWEEN 1 AND 3600);

-- How often it was begun again after it had failed.
ALTER TABLE execution ADD COLUMN retried integer NOT NULL DEFAULT 0;
-- The command that was sent the last time; the first one has the execution's own id.
ALTER TABLE execution ADD COLUMN command_id uuid;
CREATE UNIQUE INDEX execution_command ON execution (command_id) WHERE command_id IS NOT NULL;

-- waiting: it has failed and is begun again when its lease is over.
ALTER TABLE execution DROP CONSTRAINT execution_stage_check;
ALTER TABLE execution ADD CONSTRAINT execution_stage_check
    CHECK (stage IN ('ready', 'taken', 'sent', 'waiting', 'ended'));

CREATE INDEX execution_retry ON execution (job_id) WHERE stage = 'waiting';

-- When an execution that has failed is begun again; null when it is not.
CREATE FUNCTION retry_at(of_job uuid, so_often integer) RETURNS timestamptz LANGUAGE sql AS '
    SELECT clock_timestamp() + make_interval(secs => least(coalesce(retry_delay, 10) * 2 ^ so_often, 3600))
    FROM job WHERE id = of_job AND so_often < retries AND status IN (''running'', ''done'')
';
