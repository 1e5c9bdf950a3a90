-- Tables of standards-service. `body` holds each resource as stored; the other
-- columns are filled from its JSON, for the constraints and for operators. The
-- constraints repeat rules that the service decides itself: a call that reaches
-- one is a defect.
-- suits: 1

-- For `=` on text within an exclusion constraint. Made beforehand by a superuser
-- where the service's role may not.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE organizations (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  display_name text NOT NULL,
  abbreviation text,
  kind text,
  parent_organization text,
  country text,
  founding_date date,
  CONSTRAINT organizations_pkey PRIMARY KEY (name),
  CONSTRAINT organizations_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT organizations_name_form
    CHECK (name ~ '^organizations/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT organizations_display_name_given CHECK (display_name <> ''),
  CONSTRAINT organizations_not_its_own_parent
    CHECK (parent_organization IS DISTINCT FROM name),
  CONSTRAINT organizations_parent_exists
    FOREIGN KEY (parent_organization) REFERENCES organizations (name)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE memberships (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  parent text NOT NULL,
  legal_entity text NOT NULL,
  partner text,
  state text,
  ending text,
  application_date date,
  renewal_date date,
  period_from date,
  period_until date,
  period_open_ended boolean,
  -- The days on which it surely holds, where its first day is known and its last
  -- is too, or it is open-ended; null otherwise. The service's rule knows more:
  -- this is the part of it that an index can hold.
  surely_held daterange GENERATED ALWAYS AS (
    CASE
      WHEN period_from IS NOT NULL
        AND (period_open_ended OR period_until IS NOT NULL)
      THEN daterange(period_from, period_until, '[]')
    END) STORED,
  CONSTRAINT memberships_pkey PRIMARY KEY (name),
  CONSTRAINT memberships_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT memberships_name_under_parent
    CHECK (name ~ '^organizations/[^/]+/memberships/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'
      AND starts_with(name, parent || '/memberships/')),
  CONSTRAINT memberships_legal_entity_given CHECK (legal_entity <> ''),
  CONSTRAINT memberships_ends_or_is_open_ended
    CHECK (NOT (period_open_ended AND period_until IS NOT NULL)),
  CONSTRAINT memberships_not_its_own_partner
    CHECK (partner IS DISTINCT FROM parent),
  CONSTRAINT memberships_organization_exists
    FOREIGN KEY (parent) REFERENCES organizations (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT memberships_partner_exists
    FOREIGN KEY (partner) REFERENCES organizations (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT memberships_never_surely_overlap
    EXCLUDE USING gist (
      parent WITH =,
      legal_entity WITH =,
      (coalesce(partner, '')) WITH =,
      surely_held WITH &&)
    DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX memberships_partner ON memberships (partner);

CREATE TABLE standards (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  designation text NOT NULL,
  version text,
  title text,
  publisher text,
  publication_date date,
  status text,
  successor text,
  CONSTRAINT standards_pkey PRIMARY KEY (name),
  CONSTRAINT standards_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT standards_name_form
    CHECK (name ~ '^standards/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT standards_designation_given CHECK (designation <> ''),
  CONSTRAINT standards_not_its_own_successor
    CHECK (successor IS DISTINCT FROM name),
  CONSTRAINT standards_successor_when_superseded
    CHECK (successor IS NULL OR status IS NOT DISTINCT FROM 'SUPERSEDED'),
  CONSTRAINT standards_publisher_exists
    FOREIGN KEY (publisher) REFERENCES organizations (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT standards_successor_exists
    FOREIGN KEY (successor) REFERENCES standards (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT standards_unique_per_publisher
    EXCLUDE USING btree (
      publisher WITH =,
      designation WITH =,
      (coalesce(version, '')) WITH =)
    DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE publications (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  title text NOT NULL,
  kind text,
  publication_date date,
  retirement_date date,
  state text NOT NULL,
  related_standards jsonb,
  related_organizations jsonb,
  related_certificates jsonb,
  CONSTRAINT publications_pkey PRIMARY KEY (name),
  CONSTRAINT publications_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT publications_name_form
    CHECK (name ~ '^publications/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT publications_title_given CHECK (title <> ''),
  CONSTRAINT publications_state_known
    CHECK (state IN ('DRAFT', 'PUBLISHED', 'RETIRED')),
  CONSTRAINT publications_retirement_when_retired
    CHECK (retirement_date IS NULL OR state = 'RETIRED')
);

CREATE TABLE commitments (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  initiative text NOT NULL,
  organization text,
  join_date date,
  end_date date,
  state text,
  CONSTRAINT commitments_pkey PRIMARY KEY (name),
  CONSTRAINT commitments_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT commitments_name_form
    CHECK (name ~ '^commitments/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT commitments_initiative_given CHECK (initiative <> ''),
  CONSTRAINT commitments_end_not_before_joining CHECK (end_date >= join_date),
  CONSTRAINT commitments_organization_exists
    FOREIGN KEY (organization) REFERENCES organizations (name)
    DEFERRABLE INITIALLY DEFERRED
);
