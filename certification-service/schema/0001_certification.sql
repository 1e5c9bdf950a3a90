-- Schemes, bodies, products, management systems and certificates. `body` holds
-- each resource as stored; the other columns are filled from its JSON. The
-- constraints repeat rules that the service decides itself: a call that reaches
-- one is a defect.
-- suits: 1

CREATE TABLE schemes (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  title text NOT NULL,
  time_zone text,
  CONSTRAINT schemes_pkey PRIMARY KEY (name),
  CONSTRAINT schemes_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT schemes_name_form CHECK (name ~ '^schemes/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')
);

CREATE TABLE bodies (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  display_name text NOT NULL,
  country text,
  CONSTRAINT bodies_pkey PRIMARY KEY (name),
  CONSTRAINT bodies_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT bodies_name_form CHECK (name ~ '^bodies/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT bodies_country_form CHECK (country ~ '^[A-Z]{2}$')
);

CREATE TABLE products (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  display_name text NOT NULL,
  vendor text,
  CONSTRAINT products_pkey PRIMARY KEY (name),
  CONSTRAINT products_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT products_name_form CHECK (name ~ '^products/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')
);

CREATE TABLE management_systems (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  display_name text NOT NULL,
  CONSTRAINT management_systems_pkey PRIMARY KEY (name),
  CONSTRAINT management_systems_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT management_systems_name_form
    CHECK (name ~ '^managementSystems/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')
);

CREATE TABLE certificates (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  scheme text NOT NULL,
  level text,
  certification_body text,
  laboratory text,
  certificate_number text,
  predecessor text,
  successor text,
  recorded_not_decided boolean NOT NULL,
  -- As of the last entry of the journal, not of today.
  state text NOT NULL,
  -- Null as well where they are known only in part.
  first_valid_date date,
  last_valid_date date,
  CONSTRAINT certificates_pkey PRIMARY KEY (name),
  CONSTRAINT certificates_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT certificates_name_form
    CHECK (name ~ '^certificates/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT certificates_scheme_fkey FOREIGN KEY (scheme) REFERENCES schemes (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_certification_body_fkey
    FOREIGN KEY (certification_body) REFERENCES bodies (name) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_laboratory_fkey FOREIGN KEY (laboratory) REFERENCES bodies (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_predecessor_fkey
    FOREIGN KEY (predecessor) REFERENCES certificates (name) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_successor_fkey
    FOREIGN KEY (successor) REFERENCES certificates (name) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_predecessor_is_another CHECK (predecessor <> name),
  CONSTRAINT certificates_successor_is_another CHECK (successor <> name),
  -- Deferred: one command of a batch may free the number that the next one takes.
  CONSTRAINT certificates_number_unique UNIQUE (certification_body, certificate_number)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT certificates_state_known CHECK (state IN (
    'APPLIED', 'IN_EVALUATION', 'ACTIVE', 'REJECTED', 'SUSPENDED', 'WITHDRAWN', 'EXPIRED',
    'SUPERSEDED', 'UNDETERMINED')),
  CONSTRAINT certificates_undetermined_is_recorded
    CHECK (state <> 'UNDETERMINED' OR recorded_not_decided),
  CONSTRAINT certificates_last_day_not_before_first CHECK (last_valid_date >= first_valid_date)
);
CREATE INDEX certificates_scheme ON certificates (scheme);
