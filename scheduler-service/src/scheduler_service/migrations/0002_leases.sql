-- Who has taken an execution, how often it was begun, and which projects wait.

ALTER TABLE execution ADD COLUMN lease_token uuid;
ALTER TABLE execution ADD COLUMN attempts integer NOT NULL DEFAULT 0;

CREATE INDEX execution_waiting ON execution (project_id, source, created_at, id) WHERE stage = 'ready';
