-- Entries of which those who are not told everything can guess nothing, and what
-- is digested under a secret of the database.
-- suits: 2

-- One row: what etags and request digests are keyed with, the same for every
-- replica. gen_random_uuid() is of the operating system's randomness; three of
-- them have 366 random bits.
CREATE TABLE secret (
  one boolean NOT NULL DEFAULT true,
  key bytea NOT NULL,
  CONSTRAINT secret_pkey PRIMARY KEY (one),
  CONSTRAINT secret_is_one CHECK (one),
  CONSTRAINT secret_key_length CHECK (octet_length(key) = 32)
);
INSERT INTO secret (key) VALUES (sha256(
  uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- common/journal/entry.h says what they are. Entries of before this migration
-- lack them until `migrate` has written the journal anew: until then the
-- constraint is not valid, and no replica starts.
ALTER TABLE journal
  ADD COLUMN salt bytea,
  ADD COLUMN body_commitment bytea,
  ADD COLUMN personal_commitment bytea,
  ADD CONSTRAINT journal_salted CHECK (
    salt IS NOT NULL AND octet_length(salt) = 32
    AND body_commitment IS NOT NULL AND octet_length(body_commitment) = 32
    AND personal_commitment IS NOT NULL AND octet_length(personal_commitment) = 32) NOT VALID;
-- A load compares every row with what its entry commits to, without reading the
-- journal's bodies.
CREATE INDEX journal_commitments ON journal (revision)
  INCLUDE (salt, body_commitment, personal_commitment);
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM journal) THEN
    ALTER TABLE journal VALIDATE CONSTRAINT journal_salted;
  END IF;
END
$$;

-- Their digests could be compared with guesses at what has been erased since.
DELETE FROM requests;
ALTER TABLE requests
  -- Of the request's personal fields, under a salt of its own; both null where it
  -- had none, and once the personal fields that it set are erased or replaced:
  -- then nobody can tell whether a guess at them is right.
  ADD COLUMN personal_digest bytea,
  ADD COLUMN personal_salt bytea,
  -- The resources whose personal fields it may have set.
  ADD COLUMN personal_of text[] NOT NULL,
  ADD CONSTRAINT requests_digest_length CHECK (octet_length(digest) = 32),
  ADD CONSTRAINT requests_personal_salted CHECK (
    (personal_digest IS NULL) = (personal_salt IS NULL)
    AND (personal_digest IS NULL OR cardinality(personal_of) > 0)),
  ADD CONSTRAINT requests_personal_digest_length CHECK (octet_length(personal_digest) = 32),
  ADD CONSTRAINT requests_personal_salt_length CHECK (octet_length(personal_salt) = 16);
CREATE INDEX requests_personal_of ON requests USING gin (personal_of)
  WHERE personal_digest IS NOT NULL;
