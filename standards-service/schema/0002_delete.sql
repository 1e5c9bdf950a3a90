-- Deleted records stay, and only those that live exclude each other. A binary of
-- version 1 does not know the column that it would have to fill.
-- suits: 2

ALTER TABLE organizations ADD COLUMN delete_time timestamptz;
ALTER TABLE memberships ADD COLUMN delete_time timestamptz;
ALTER TABLE standards ADD COLUMN delete_time timestamptz;
ALTER TABLE publications ADD COLUMN delete_time timestamptz;
ALTER TABLE commitments ADD COLUMN delete_time timestamptz;

ALTER TABLE memberships
  DROP CONSTRAINT memberships_never_surely_overlap,
  ADD CONSTRAINT memberships_never_surely_overlap
    EXCLUDE USING gist (
      parent WITH =,
      legal_entity WITH =,
      (coalesce(partner, '')) WITH =,
      surely_held WITH &&)
    WHERE (delete_time IS NULL)
    DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE standards
  DROP CONSTRAINT standards_unique_per_publisher,
  ADD CONSTRAINT standards_unique_per_publisher
    EXCLUDE USING btree (
      publisher WITH =,
      designation WITH =,
      (coalesce(version, '')) WITH =)
    WHERE (delete_time IS NULL)
    DEFERRABLE INITIALLY DEFERRED;
