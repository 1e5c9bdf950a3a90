-- The journal of a service, its request records and personal bodies.
-- suits: 1

-- Every change, in one order. Density is the database's business too: each entry
-- but the first refers to the one before it.
CREATE TABLE journal (
  revision bigint NOT NULL,
  previous bigint GENERATED ALWAYS AS (
    CASE WHEN revision <> 0 THEN revision - 1 END) STORED,
  record_time timestamptz NOT NULL,
  name text NOT NULL,
  -- transparency.journal.v1.Change.Kind
  kind smallint NOT NULL,
  step text NOT NULL,
  -- Subject of the caller; empty for the clock.
  actor text NOT NULL,
  reason text NOT NULL,
  -- Of the call, as text; empty where it gave none.
  request_id text NOT NULL,
  -- The stored message after the change, without personal fields and etag; empty
  -- for an erasure.
  body bytea NOT NULL,
  -- SHA-256 of the RFC 8785 JSON of the public form; null where the public sees
  -- nothing.
  public_digest bytea,
  -- SHA-256 over the previous digest and this row: common/journal/entry.h.
  digest bytea NOT NULL,
  CONSTRAINT journal_pkey PRIMARY KEY (revision),
  CONSTRAINT journal_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT journal_previous_fkey FOREIGN KEY (previous) REFERENCES journal (revision),
  CONSTRAINT journal_kind_known CHECK (kind BETWEEN 1 AND 6),
  CONSTRAINT journal_digest_length CHECK (octet_length(digest) = 32),
  CONSTRAINT journal_public_digest_length CHECK (octet_length(public_digest) = 32)
);
CREATE INDEX journal_name ON journal (name, revision);
ALTER TABLE journal ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE FUNCTION journal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'journal entries do not change'
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'journal_append_only';
END
$$;
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
  FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse_change();

-- The first answer to each request_id, less personal fields.
CREATE TABLE requests (
  caller text NOT NULL,
  method text NOT NULL,
  request_id uuid NOT NULL,
  -- Tells requests apart that come under one id.
  digest bytea NOT NULL,
  -- Of the state that shows what the request changed; -1 before the first entry.
  revision bigint NOT NULL,
  answer bytea NOT NULL,
  record_time timestamptz NOT NULL,
  CONSTRAINT requests_pkey PRIMARY KEY (caller, method, request_id)
);
CREATE INDEX requests_record_time ON requests (record_time);

-- Personal fields of live resources, as a message of the resource's type that
-- holds nothing else. Nowhere else in this database.
CREATE TABLE personal (
  resource text NOT NULL,
  -- Salts the etag, so that it tells nothing of a person.
  salt bytea NOT NULL,
  body bytea NOT NULL,
  CONSTRAINT personal_pkey PRIMARY KEY (resource),
  CONSTRAINT personal_salt_length CHECK (octet_length(salt) = 16)
);
