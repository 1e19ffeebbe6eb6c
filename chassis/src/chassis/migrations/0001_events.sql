-- Events to send and events already received (chassis.events).

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    envelope text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
-- Rows live for milliseconds: vacuum by count, or the dead ones at the head slow down every look at the oldest.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
      autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);

CREATE TABLE inbox (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX inbox_received_at ON inbox (received_at);
