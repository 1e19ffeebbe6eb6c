-- A repeated command belongs to the trace of the request that caused it (chassis.tracing).

ALTER TABLE pending_command ADD COLUMN traceparent text;
