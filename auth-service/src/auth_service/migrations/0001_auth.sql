-- Workers, accounts, sessions, API keys, signing keys and failed logins.

CREATE TABLE worker (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alias text NOT NULL,
    secret_hash bytea NOT NULL,
    secret_sealed bytea NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The constraint's name reaches clients (spec: tracker 4.6 register, row 3).
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL CONSTRAINT manager_username_key UNIQUE,
    password_hash text NOT NULL,
    tracker_admin boolean NOT NULL DEFAULT false,
    tenant text NOT NULL UNIQUE,
    version bigint NOT NULL DEFAULT 1,
    registered_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX session_expires_at ON session (expires_at);

CREATE TABLE api_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash bytea NOT NULL UNIQUE,
    name text NOT NULL,
    account_id bigint REFERENCES account,
    worker_id bigint REFERENCES worker,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_key_has_one_owner CHECK (num_nonnulls(account_id, worker_id) = 1)
);

CREATE INDEX api_key_account_id ON api_key (account_id);
CREATE INDEX api_key_worker_id ON api_key (worker_id);
CREATE INDEX api_key_expires_at ON api_key (expires_at);

-- A key is published from its creation, signs from active_from until a newer one does, and is published until ends_at.
CREATE TABLE signing_key (
    kid text PRIMARY KEY,
    public_key bytea NOT NULL,
    private_sealed bytea NOT NULL,
    active_from timestamptz NOT NULL,
    ends_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Failed logins of one name from one address; a hash, because people type passwords into the wrong field.
CREATE TABLE failed_login (
    key bytea PRIMARY KEY,
    failures integer NOT NULL,
    first_at timestamptz NOT NULL
);
