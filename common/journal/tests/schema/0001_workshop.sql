-- Tables of the journal's tests.
-- suits: 1

CREATE TABLE widgets (
  name text NOT NULL,
  body bytea NOT NULL,
  revision bigint NOT NULL,
  number text,
  title text,
  colour text,
  made_on date,
  count bigint NOT NULL,
  labels text[] NOT NULL,
  maker jsonb,
  maker_city text,
  maker_since date,
  create_time timestamptz NOT NULL,
  delete_time timestamptz,
  title_length integer GENERATED ALWAYS AS (char_length(title)) STORED,
  CONSTRAINT widgets_pkey PRIMARY KEY (name),
  CONSTRAINT widgets_revision_fkey FOREIGN KEY (revision) REFERENCES journal (revision)
    DEFERRABLE INITIALLY DEFERRED,
  -- Among live ones; an index with a condition cannot be deferred, this can.
  CONSTRAINT widgets_number_unique EXCLUDE USING btree (number WITH =)
    WHERE (delete_time IS NULL) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT widgets_count_not_negative CHECK (count >= 0)
);

CREATE TABLE parts (
  name text NOT NULL,
  body bytea NOT NULL,
  revision bigint NOT NULL,
  parent text NOT NULL,
  fits text,
  CONSTRAINT parts_pkey PRIMARY KEY (name),
  CONSTRAINT parts_parent_fkey FOREIGN KEY (parent) REFERENCES widgets (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT parts_fits_fkey FOREIGN KEY (fits) REFERENCES widgets (name)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE people (
  name text NOT NULL,
  body bytea NOT NULL,
  revision bigint NOT NULL,
  role text,
  CONSTRAINT people_pkey PRIMARY KEY (name)
);

CREATE TABLE offers (
  name text NOT NULL,
  body bytea NOT NULL,
  revision bigint NOT NULL,
  state text NOT NULL,
  expire_time timestamptz,
  CONSTRAINT offers_pkey PRIMARY KEY (name),
  CONSTRAINT offers_no_jinx CHECK (name <> 'offers/jinx' OR state <> 'EXPIRED')
);

CREATE TABLE notices (
  name text NOT NULL,
  body bytea NOT NULL,
  revision bigint NOT NULL,
  CONSTRAINT notices_pkey PRIMARY KEY (name)
);
