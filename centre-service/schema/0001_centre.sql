-- Centres, their spaces, bookings and visitors. `body` holds each resource as
-- stored; the other columns are filled from its JSON. The constraints repeat
-- rules that the service decides itself: a call that reaches one is a defect.
-- suits: 1

-- For `=` on text within an exclusion constraint. Made beforehand by a superuser
-- where the service's role may not.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE centres (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  country text NOT NULL,
  time_zone text NOT NULL,
  CONSTRAINT centres_pkey PRIMARY KEY (name),
  CONSTRAINT centres_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT centres_name_form CHECK (name ~ '^centres/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
  CONSTRAINT centres_country_form CHECK (country ~ '^[A-Z]{2}$')
);

CREATE TABLE spaces (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  parent text NOT NULL,
  category text NOT NULL,
  occupancy text NOT NULL,
  capacity integer NOT NULL,
  CONSTRAINT spaces_pkey PRIMARY KEY (name),
  CONSTRAINT spaces_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT spaces_parent_fkey FOREIGN KEY (parent) REFERENCES centres (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT spaces_name_below_parent CHECK (starts_with(name, parent || '/spaces/')),
  CONSTRAINT spaces_occupancy_known CHECK (occupancy IN ('EXCLUSIVE', 'SHARED')),
  CONSTRAINT spaces_capacity_positive CHECK (capacity > 0)
);
CREATE INDEX spaces_parent ON spaces (parent);

CREATE TABLE bookings (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  parent text NOT NULL,
  owner text NOT NULL,
  purpose text NOT NULL,
  state text NOT NULL,
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL,
  hold_expire_time timestamptz,
  no_show_time timestamptz,
  party jsonb NOT NULL,
  occupied_spaces jsonb NOT NULL,
  CONSTRAINT bookings_pkey PRIMARY KEY (name),
  CONSTRAINT bookings_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT bookings_parent_fkey FOREIGN KEY (parent) REFERENCES centres (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT bookings_name_below_parent CHECK (starts_with(name, parent || '/bookings/')),
  CONSTRAINT bookings_owner_named CHECK (owner <> ''),
  CONSTRAINT bookings_state_known CHECK (state IN (
    'HELD', 'REQUESTED', 'CONFIRMED', 'CHECKED_IN', 'COMPLETED', 'DECLINED', 'CANCELLED',
    'EXPIRED', 'NO_SHOW')),
  CONSTRAINT bookings_end_after_start CHECK (start_time < end_time),
  CONSTRAINT bookings_hold_expires CHECK ((state = 'HELD') = (hold_expire_time IS NOT NULL))
);
CREATE INDEX bookings_parent_start ON bookings (parent, start_time);
CREATE INDEX bookings_owner ON bookings (owner);

-- What bookings take of spaces, kept by a trigger from the bookings themselves:
-- the wall behind the rule that no space is given twice.
CREATE TABLE booking_spaces (
  booking text NOT NULL,
  space text NOT NULL,
  -- Half-open, the gap included.
  during tstzrange NOT NULL,
  shared boolean NOT NULL,
  party_size integer NOT NULL,
  CONSTRAINT booking_spaces_pkey PRIMARY KEY (booking, space),
  CONSTRAINT booking_spaces_booking_fkey FOREIGN KEY (booking) REFERENCES bookings (name)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT booking_spaces_space_fkey FOREIGN KEY (space) REFERENCES spaces (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT booking_spaces_during_not_empty CHECK (NOT isempty(during)),
  CONSTRAINT booking_spaces_party_size_positive CHECK (party_size > 0),
  CONSTRAINT booking_spaces_never_twice
    EXCLUDE USING gist (space WITH =, during WITH &&) WHERE (NOT shared)
    DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX booking_spaces_during ON booking_spaces USING gist (space, during);

CREATE FUNCTION bookings_take_spaces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM booking_spaces WHERE booking = NEW.name;
  IF NEW.state IN ('HELD', 'REQUESTED', 'CONFIRMED', 'CHECKED_IN', 'COMPLETED') THEN
    INSERT INTO booking_spaces (booking, space, during, shared, party_size)
    SELECT NEW.name, taken ->> 'space',
           tstzrange(NEW.start_time, (taken ->> 'free_from')::timestamptz),
           coalesce((taken ->> 'shared')::boolean, false),
           (NEW.party ->> 'size')::integer
    FROM jsonb_array_elements(NEW.occupied_spaces) AS taken;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER bookings_take_spaces
  AFTER INSERT OR UPDATE OF state, start_time, party, occupied_spaces ON bookings
  FOR EACH ROW EXECUTE FUNCTION bookings_take_spaces();

-- An exclusion constraint cannot add up: for shared spaces this does. The most
-- people are in a space at an instant at which some party comes.
CREATE FUNCTION booking_spaces_check_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM booking_spaces AS coming
    JOIN spaces ON spaces.name = coming.space
    WHERE coming.space = NEW.space AND coming.during && NEW.during
      AND (SELECT sum(present.party_size) FROM booking_spaces AS present
           WHERE present.space = coming.space
             AND present.during @> lower(coming.during)) > spaces.capacity)
  THEN
    RAISE EXCEPTION 'more people than the space holds'
      USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'booking_spaces_within_capacity';
  END IF;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER booking_spaces_within_capacity
  AFTER INSERT OR UPDATE ON booking_spaces
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.shared) EXECUTE FUNCTION booking_spaces_check_capacity();

CREATE TABLE visitors (
  name text NOT NULL,
  revision bigint NOT NULL,
  body bytea NOT NULL,
  parent text NOT NULL,
  owner text NOT NULL,
  category text NOT NULL,
  erase_time timestamptz,
  CONSTRAINT visitors_pkey PRIMARY KEY (name),
  CONSTRAINT visitors_revision_not_negative CHECK (revision >= 0),
  CONSTRAINT visitors_parent_fkey FOREIGN KEY (parent) REFERENCES bookings (name)
    DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT visitors_name_below_parent CHECK (starts_with(name, parent || '/visitors/')),
  CONSTRAINT visitors_owner_named CHECK (owner <> '')
);
CREATE INDEX visitors_parent ON visitors (parent);
