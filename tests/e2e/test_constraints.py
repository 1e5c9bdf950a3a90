"""Each constraint of the three schemas is proven by SQL that breaks it. One without a proof fails the test."""

import subprocess

import pytest

from suite import SERVICES, psql

HASH = "sha256('x')"
# A valid row of each table; proofs change single columns of it.
ROWS = {
    "journal": {"revision": "0", "record_time": "now()", "name": "'x'", "kind": "1", "step": "''", "actor": "''",
                "reason": "''", "request_id": "''", "body": "''", "public_digest": "NULL", "salt": HASH,
                "body_commitment": HASH, "personal_commitment": HASH, "digest": HASH},
    "requests": {"caller": "'a'", "method": "'m'", "request_id": "'11111111-1111-4111-8111-111111111111'",
                 "digest": HASH, "revision": "0", "answer": "''", "record_time": "now()",
                 "personal_of": "'{people/a}'"},
    "secret": {"key": HASH},
    "personal": {"resource": "'a'", "salt": f"substr({HASH}, 1, 16)", "body": "''"},

    "schemes": {"name": "'schemes/a'", "title": "'A'"},
    "bodies": {"name": "'bodies/a'", "display_name": "'A'", "country": "'BE'"},
    "products": {"name": "'products/a'", "display_name": "'A'"},
    "management_systems": {"name": "'managementSystems/a'", "display_name": "'A'"},
    "certificates": {"name": "'certificates/a'", "scheme": "'schemes/a'", "certification_body": "'bodies/a'",
                     "certificate_number": "'1'", "recorded_not_decided": "false", "state": "'ACTIVE'"},

    "organizations": {"name": "'organizations/a'", "display_name": "'A'"},
    "memberships": {"name": "'organizations/a/memberships/a'", "parent": "'organizations/a'", "legal_entity": "'L'",
                    "period_from": "'2019-01-01'", "period_until": "'2019-12-31'"},
    "standards": {"name": "'standards/a'", "designation": "'D'", "publisher": "'organizations/a'"},
    "publications": {"name": "'publications/a'", "title": "'T'", "state": "'PUBLISHED'"},
    "commitments": {"name": "'commitments/a'", "initiative": "'I'"},

    "centres": {"name": "'centres/a'", "country": "'BE'", "time_zone": "'Etc/UTC'"},
    "spaces": {"name": "'centres/a/spaces/a'", "parent": "'centres/a'", "category": "'MEETING_ROOM'",
               "occupancy": "'EXCLUSIVE'", "capacity": "5"},
    "bookings": {"name": "'centres/a/bookings/a'", "parent": "'centres/a'", "owner": "'o'", "purpose": "'SHOWCASE'",
                 "state": "'CONFIRMED'", "start_time": "'2030-01-01 10:00Z'", "end_time": "'2030-01-01 11:00Z'",
                 "party": "'{\"size\": 2}'",
                 "occupied_spaces": "'[{\"space\": \"centres/a/spaces/a\", \"free_from\": \"2030-01-01T11:15:00Z\"}]'"},
    "visitors": {"name": "'centres/a/bookings/a/visitors/a'", "parent": "'centres/a/bookings/a'", "owner": "'o'",
                 "category": "'MEDIA'"},
    "booking_spaces": {"booking": "'centres/a/bookings/b'", "space": "'centres/a/spaces/a'",
                       "during": "'[2031-01-01,2031-01-02)'", "shared": "false", "party_size": "1"},
}
# Tables without `revision` and `body`, or with their own.
BARE = ("journal", "requests", "personal", "secret", "booking_spaces")
# In the order in which a service's valid rows go in.
TABLES = {
    "certification": ("schemes", "bodies", "products", "management_systems", "certificates"),
    "standards": ("organizations", "memberships", "standards", "publications", "commitments"),
    "centre": ("centres", "spaces", "bookings", "visitors"),
}
SHARED_TABLES = ("journal", "requests", "personal")


def insert(table, **changed):
    """INSERT of the valid row with these columns changed (SQL text)."""
    row = dict(ROWS[table], **({} if table in BARE else {"revision": "0", "body": "''"}))
    row.update(changed)
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())});"


def second(table, **changed):
    """A second valid row, less what is changed."""
    name = ROWS[table]["name"]
    return insert(table, **{"name": f"{name[:-2]}b'", **changed})


BOOKING_B = {"start_time": "'2030-02-01 10:00Z'", "end_time": "'2030-02-01 11:00Z'", "occupied_spaces": "'[]'"}
HALL = insert("spaces", name="'centres/a/spaces/hall'", occupancy="'SHARED'")
IN_HALL = ("'[{\"space\": \"centres/a/spaces/hall\", \"free_from\": \"2030-01-01T11:00:00Z\", \"shared\": true}]'")

# SQL that breaks the constraint, after the valid rows.
PROOFS = {
    "journal_previous_fkey": insert("journal", revision="7"),
    "journal_kind_known": insert("journal", revision="1", kind="7"),
    "journal_digest_length": insert("journal", revision="1", digest="'short'"),
    "journal_public_digest_length": insert("journal", revision="1", public_digest="'short'"),
    "journal_salted": insert("journal", revision="1", salt="NULL"),
    "journal_append_only": "UPDATE journal SET step = 'other';",
    "schema_migrations_pkey": "INSERT INTO schema_migrations SELECT * FROM schema_migrations;",
    "requests_digest_length": insert("requests", caller="'b'", digest="'short'"),
    "requests_personal_salted": insert("requests", caller="'b'", personal_digest=HASH),
    "requests_personal_digest_length": insert("requests", caller="'b'", personal_digest="'short'",
                                              personal_salt=f"substr({HASH}, 1, 16)"),
    "requests_personal_salt_length": insert("requests", caller="'b'", personal_digest=HASH, personal_salt="'short'"),
    "secret_is_one": insert("secret", one="false"),
    "secret_key_length": "UPDATE secret SET key = 'short';",
    "personal_salt_length": insert("personal", resource="'b'", salt="'short'"),

    "schemes_name_form": insert("schemes", name="'schemes/B'"),
    "bodies_name_form": insert("bodies", name="'bodies/-b'"),
    "bodies_country_form": second("bodies", country="'be'"),
    "products_name_form": insert("products", name="'bodies/b'"),
    "management_systems_name_form": insert("management_systems", name="'managementSystems/'"),
    "certificates_name_form": insert("certificates", name="'certificates/b/c'", certificate_number="'2'"),
    "certificates_scheme_fkey": second("certificates", scheme="'schemes/none'", certificate_number="'2'"),
    "certificates_certification_body_fkey": second("certificates", certification_body="'bodies/none'"),
    "certificates_laboratory_fkey": second("certificates", laboratory="'bodies/none'", certificate_number="'2'"),
    "certificates_predecessor_fkey": second("certificates", predecessor="'certificates/none'", certificate_number="'2'"),
    "certificates_successor_fkey": second("certificates", successor="'certificates/none'", certificate_number="'2'"),
    "certificates_predecessor_is_another": second("certificates", predecessor="'certificates/b'",
                                                  certificate_number="'2'"),
    "certificates_successor_is_another": second("certificates", successor="'certificates/b'", certificate_number="'2'"),
    "certificates_number_unique": second("certificates"),
    "certificates_state_known": second("certificates", state="'LOST'", certificate_number="'2'"),
    "certificates_undetermined_is_recorded": second("certificates", state="'UNDETERMINED'", certificate_number="'2'"),
    "certificates_last_day_not_before_first": second(
        "certificates", certificate_number="'2'", first_valid_date="'2020-01-02'", last_valid_date="'2020-01-01'"),

    "organizations_name_form": insert("organizations", name="'organizations/a_b'"),
    "organizations_display_name_given": second("organizations", display_name="''"),
    "organizations_not_its_own_parent": second("organizations", parent_organization="'organizations/b'"),
    "organizations_parent_exists": second("organizations", parent_organization="'organizations/none'"),
    "memberships_name_under_parent": insert("memberships", name="'organizations/b/memberships/b'", legal_entity="'M'"),
    "memberships_legal_entity_given": second("memberships", legal_entity="''"),
    "memberships_ends_or_is_open_ended": second("memberships", legal_entity="'M'", period_open_ended="true"),
    "memberships_not_its_own_partner": second("memberships", partner="'organizations/a'"),
    "memberships_organization_exists": insert("memberships", name="'organizations/none/memberships/b'",
                                              parent="'organizations/none'"),
    "memberships_partner_exists": second("memberships", partner="'organizations/none'"),
    "memberships_never_surely_overlap": second("memberships", period_from="'2019-12-31'", period_until="NULL",
                                               period_open_ended="true"),
    "standards_name_form": insert("standards", name="'standards/'", designation="'E'"),
    "standards_designation_given": second("standards", designation="''"),
    "standards_not_its_own_successor": second("standards", designation="'E'", successor="'standards/b'",
                                              status="'SUPERSEDED'"),
    "standards_successor_when_superseded": second("standards", designation="'E'", successor="'standards/a'"),
    "standards_publisher_exists": second("standards", publisher="'organizations/none'"),
    "standards_successor_exists": second("standards", designation="'E'", successor="'standards/none'",
                                         status="'SUPERSEDED'"),
    "standards_unique_per_publisher": second("standards"),
    "publications_name_form": insert("publications", name="'publications/a/b'"),
    "publications_title_given": second("publications", title="''"),
    "publications_state_known": second("publications", state="'LOST'"),
    "publications_retirement_when_retired": second("publications", retirement_date="'2020-01-01'"),
    "commitments_name_form": insert("commitments", name="'commitments/9'"),
    "commitments_initiative_given": second("commitments", initiative="''"),
    "commitments_end_not_before_joining": second("commitments", join_date="'2020-01-02'", end_date="'2020-01-01'"),
    "commitments_organization_exists": second("commitments", organization="'organizations/none'"),

    "centres_name_form": insert("centres", name="'centres/'"),
    "centres_country_form": second("centres", country="'BEL'"),
    "spaces_parent_fkey": insert("spaces", name="'centres/none/spaces/b'", parent="'centres/none'"),
    "spaces_name_below_parent": insert("spaces", name="'centres/b/spaces/b'"),
    "spaces_occupancy_known": second("spaces", occupancy="'CROWDED'"),
    "spaces_capacity_positive": second("spaces", capacity="0"),
    "bookings_parent_fkey": insert("bookings", **{**BOOKING_B, "name": "'centres/none/bookings/b'",
                                                  "parent": "'centres/none'"}),
    "bookings_name_below_parent": insert("bookings", **{**BOOKING_B, "name": "'centres/b/bookings/b'"}),
    "bookings_owner_named": second("bookings", **BOOKING_B, owner="''"),
    "bookings_state_known": second("bookings", **BOOKING_B, state="'LOST'"),
    "bookings_end_after_start": second("bookings", **{**BOOKING_B, "end_time": "'2030-02-01 10:00Z'"}),
    "bookings_hold_expires": second("bookings", **BOOKING_B, state="'HELD'"),
    "booking_spaces_pkey": "INSERT INTO booking_spaces SELECT booking, space, '[2040-01-01,2040-01-02)', shared, 1 "
                           "FROM booking_spaces;",
    "booking_spaces_booking_fkey": insert("booking_spaces", booking="'centres/a/bookings/none'"),
    "booking_spaces_space_fkey": second("bookings", **BOOKING_B) + insert("booking_spaces",
                                                                          space="'centres/a/spaces/none'"),
    "booking_spaces_during_not_empty": second("bookings", **BOOKING_B) + insert("booking_spaces", during="'empty'"),
    "booking_spaces_party_size_positive": second("bookings", **BOOKING_B) + insert("booking_spaces", party_size="0"),
    # In the gap of the first booking, which ends at 11:00 and keeps the space until 11:15.
    "booking_spaces_never_twice": second(
        "bookings", start_time="'2030-01-01 11:14Z'", end_time="'2030-01-01 12:00Z'",
        occupied_spaces="'[{\"space\": \"centres/a/spaces/a\", \"free_from\": \"2030-01-01T12:15:00Z\"}]'"),
    "booking_spaces_within_capacity": HALL + second("bookings", occupied_spaces=IN_HALL, party="'{\"size\": 3}'")
                                      + insert("bookings", name="'centres/a/bookings/c'", occupied_spaces=IN_HALL,
                                               party="'{\"size\": 3}'"),
    "visitors_parent_fkey": insert("visitors", name="'centres/a/bookings/none/visitors/b'",
                                   parent="'centres/a/bookings/none'"),
    "visitors_name_below_parent": insert("visitors", name="'centres/a/bookings/c/visitors/b'"),
    "visitors_owner_named": second("visitors", owner="''"),
}


def proof_of(constraint, table):
    if constraint in PROOFS:
        return PROOFS[constraint]
    if constraint == f"{table}_pkey":
        return insert(table)
    if constraint == f"{table}_revision_not_negative":
        return insert(table, revision="-1")
    return None


@pytest.fixture(name="schemas", scope="module")
def schemas_fixture(tmp_path_factory):
    import suite as suite_module
    made = suite_module.Suite(tmp_path_factory.mktemp("schemas"))
    yield {service: made.database(service) for service in SERVICES}
    made.close()


def broken(conninfo, service, sql):
    """Name of the constraint that stops this SQL after the valid rows; "" when none does. Nothing is kept."""
    valid = "".join(insert(table) for table in (*SHARED_TABLES, *TABLES[service]))
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", conninfo, "-f", "-"],
        input=f"BEGIN;\n{valid}\nSET CONSTRAINTS ALL IMMEDIATE;\n\\echo valid\nSET CONSTRAINTS ALL DEFERRED;\n{sql}\n"
              "SET CONSTRAINTS ALL IMMEDIATE;\nROLLBACK;\n", capture_output=True, text=True, check=False)
    assert "valid" in done.stdout, done.stderr
    if done.returncode == 0:
        return ""
    names = [line.split(":", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("CONSTRAINT NAME:")]
    assert names, done.stderr
    return names[0]


@pytest.mark.parametrize("service", SERVICES)
def test_every_constraint_holds(schemas, service):
    constraints = psql(schemas[service], "SELECT conname, conrelid::regclass FROM pg_constraint "
                                         "WHERE connamespace = 'public'::regnamespace")
    names = {name for name, _ in constraints}
    assert len(names) >= 25
    unproven, wrong = [], {}
    for name, table in constraints:
        sql = proof_of(name, table)
        if sql is None:
            unproven.append(name)
        elif (found := broken(schemas[service], service, sql)) != name:
            wrong[name] = found
    assert not unproven, "give each of these SQL that breaks it"
    assert not wrong
    unknown = {name for name in PROOFS if name.split("_")[0] in {t.split("_")[0] for t in TABLES[service]}} - names
    assert not unknown, "no such constraint any more"


@pytest.mark.parametrize("service", SERVICES)
def test_every_constraint_has_a_name_of_its_own(schemas, service):
    """Named by hand, so that a violation tells what was broken: not `x_check` or `x_key1`."""
    names = [name for name, in psql(schemas[service], "SELECT conname FROM pg_constraint WHERE "
                                                      "connamespace = 'public'::regnamespace AND contype <> 't'")]
    assert not [name for name in names if name.endswith(("_check", "_check1", "_key", "_key1", "_excl"))]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("sql", ["UPDATE journal SET reason = 'other';", "DELETE FROM journal;", "TRUNCATE journal;"])
def test_journal_only_grows(schemas, service, sql):
    assert broken(schemas[service], service, sql) == "journal_append_only"


@pytest.mark.parametrize("service, sql", [
    ("standards", "DELETE FROM organizations;"),
    ("certification", "DELETE FROM schemes;"),
    ("centre", "DELETE FROM spaces;"),
    ("centre", "DELETE FROM bookings;"),
])
def test_what_is_referred_to_stays(schemas, service, sql):
    assert broken(schemas[service], service, sql).endswith(("_fkey", "_exists"))


@pytest.mark.parametrize("service, sql", [
    ("centre", second("bookings", start_time="'2030-01-01 11:15Z'", end_time="'2030-01-01 12:00Z'",
                      occupied_spaces=ROWS["bookings"]["occupied_spaces"].replace("11:15", "12:15"))),
    ("centre", second("bookings", state="'CANCELLED'")),
    ("centre", HALL + second("bookings", occupied_spaces=IN_HALL) + insert(
        "bookings", name="'centres/a/bookings/c'", occupied_spaces=IN_HALL, party="'{\"size\": 3}'")),
    ("standards", second("memberships", period_from="'2020-01-01'", period_until="NULL", period_open_ended="true")),
    ("standards", second("memberships", period_from="'2019-06-01'", period_until="NULL")),
    ("certification", second("certificates", certificate_number="NULL")),
    ("certification", second("certificates", delete_time="'2026-01-01Z'")),
    ("standards", second("memberships", delete_time="'2026-01-01Z'")),
    ("standards", second("standards", delete_time="'2026-01-01Z'")),
])
def test_what_is_allowed_is_not_stopped(schemas, service, sql):
    """The walls stand where the rules do, not before them."""
    assert broken(schemas[service], service, sql) == ""
