-- Answers to creating requests that may be sent again (chassis.idempotency).

CREATE TABLE idempotency (
    place bytea PRIMARY KEY,
    run uuid NOT NULL,
    request bytea NOT NULL,
    answer bytea,
    began_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idempotency_began_at ON idempotency (began_at);
