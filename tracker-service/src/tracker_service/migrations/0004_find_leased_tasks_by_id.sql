-- "assignee = x" implied the condition of the old index: planned while nothing was leased, a release read every leased
-- task to find its own. The new condition says the same (see task_lease), but only a look for old leases implies it.
CREATE INDEX task_lease_until ON task (lease_until) WHERE lease_until IS NOT NULL;
DROP INDEX task_leased;
