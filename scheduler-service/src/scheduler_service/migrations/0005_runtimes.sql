-- Runtimes that admins make: in which of them functions are, so that one in use stays.

CREATE INDEX function_runtime ON function (runtime_id) WHERE runtime_id IS NOT NULL;
