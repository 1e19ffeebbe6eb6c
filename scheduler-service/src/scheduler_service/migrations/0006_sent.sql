-- How many commands of a project are unanswered, so that the others of a flood wait here and not in front of everybody's.

CREATE INDEX execution_sent ON execution (project_id, source) WHERE stage = 'sent';
