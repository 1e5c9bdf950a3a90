-- Deleted centres and spaces stay. A binary of version 1 does not know the column
-- that it would have to fill. No constraint changes: bookings and visitors are
-- never deleted, and what they stand on is not deleted either.
-- suits: 2

ALTER TABLE centres ADD COLUMN delete_time timestamptz;
ALTER TABLE spaces ADD COLUMN delete_time timestamptz;
