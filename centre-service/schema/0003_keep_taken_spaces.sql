-- A space may hold fewer people today than it did when past bookings were made,
-- and those are still written: their contact is erased, they are completed. So a
-- write that leaves what a booking takes as it is leaves its rows as they are,
-- and a row that comes is looked at only for as long as it lasts.
-- suits: 2

CREATE OR REPLACE FUNCTION bookings_take_spaces() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  taking CONSTANT text[] := '{HELD, REQUESTED, CONFIRMED, CHECKED_IN, COMPLETED}';
BEGIN
  IF TG_OP = 'UPDATE'
     AND (OLD.state = ANY (taking), OLD.start_time, OLD.party -> 'size', OLD.occupied_spaces)
         IS NOT DISTINCT FROM
         (NEW.state = ANY (taking), NEW.start_time, NEW.party -> 'size', NEW.occupied_spaces)
  THEN
    RETURN NULL;
  END IF;
  DELETE FROM booking_spaces WHERE booking = NEW.name;
  IF NEW.state = ANY (taking) THEN
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

CREATE OR REPLACE FUNCTION booking_spaces_check_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM booking_spaces AS coming
    JOIN spaces ON spaces.name = coming.space
    WHERE coming.space = NEW.space AND coming.during && NEW.during
      AND NEW.during @> lower(coming.during)
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
