-- Deleted records stay, and numbers are unique among those that live. A binary
-- of version 1 does not know the column that it would have to fill.
-- suits: 2

ALTER TABLE schemes ADD COLUMN delete_time timestamptz;
ALTER TABLE bodies ADD COLUMN delete_time timestamptz;
ALTER TABLE products ADD COLUMN delete_time timestamptz;
ALTER TABLE management_systems ADD COLUMN delete_time timestamptz;
ALTER TABLE certificates ADD COLUMN delete_time timestamptz;

-- An exclusion constraint, because a unique one cannot be both partial and
-- deferred.
ALTER TABLE certificates
  DROP CONSTRAINT certificates_number_unique,
  ADD CONSTRAINT certificates_number_unique
    EXCLUDE USING btree (certification_body WITH =, certificate_number WITH =)
    WHERE (delete_time IS NULL)
    DEFERRABLE INITIALLY DEFERRED;
