-- Events that the broker has confirmed, for a while: who loses its queue gets them again (chassis.events.resend).

CREATE TABLE sent_event (
    id bigint PRIMARY KEY,
    type text NOT NULL,
    envelope text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX sent_event_sent_at ON sent_event (sent_at);
