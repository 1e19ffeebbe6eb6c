-- Who did what: security-relevant events, kept for people to look at (auth_service.audit).

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    happened_at timestamptz NOT NULL,
    account_id bigint,
    worker_id bigint,
    username text,
    address text,
    by_account bigint,
    data text NOT NULL
);

CREATE INDEX audit_type ON audit (type, id);
CREATE INDEX audit_account_id ON audit (account_id, id);
CREATE INDEX audit_by_account ON audit (by_account, id);
CREATE INDEX audit_worker_id ON audit (worker_id, id);
CREATE INDEX audit_username ON audit (username, id);
CREATE INDEX audit_address ON audit (address, id);
CREATE INDEX audit_happened_at ON audit (happened_at);

-- What is written stays as it was; only whole entries go, by age.
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
