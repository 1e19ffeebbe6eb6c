-- Commands carried out, and commands sent that nobody has answered yet (chassis.events.commands).

-- The sender repeats a command until it has the answer: the second time it gets the first answer again.
CREATE TABLE answered_command (
    command_id uuid PRIMARY KEY,
    answer text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX answered_command_received_at ON answered_command (received_at);

CREATE TABLE pending_command (
    command_id uuid PRIMARY KEY,
    type text NOT NULL,
    subject text NOT NULL,
    service text NOT NULL,
    data text NOT NULL,
    sent integer NOT NULL DEFAULT 1,
    next_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX pending_command_next_at ON pending_command (next_at);
