# Sourced by run: who may do what. Users of their own need root; where there are
# none, that part says so and is left out.
# shellcheck shell=bash disable=SC2154

# status_of ID FIELD: of /proc/ID/status.
status_of() { awk -v field="$2:" '$1 == field {print $2}' "/proc/$1/status"; }

check_privileges() {
  local process id kind
  say "the processes have no privileges and no way to any"
  for process in "${processes[@]}" postgres; do
    for id in $(pid "$process") $(supervisor "$process"); do
      same "NoNewPrivs of $process" 1 "$(status_of "$id" NoNewPrivs)"
      same "core dumps of $process" 0 "$(awk '/^Max core file size/ {print $5}' "/proc/$id/limits")"
      # Nobody but root can take the last of these sets from a process.
      if [ "$(id -u)" != 0 ] || { [ "$process" = postgres ] && pg_runs_in_namespace; }; then continue; fi
      for kind in CapInh CapPrm CapEff CapBnd CapAmb; do
        same "$kind of $process" 0000000000000000 "$(status_of "$id" $kind)"
      done
    done
  done
  check_modes
  check_binaries
  if separate_users; then
    check_users
  else
    say "no users of their own here: $(id -un) runs everything"
  fi
  check_database
}

# What is in the state directory is nobody else's business.
check_modes() {
  local found
  say "the files are closed to others"
  found=$(find "$state" -perm /o=rw ! -path "$state/bin/supervise" ! -type l ! -type s)
  [ -z "$found" ] || die "others may read or write: $found"
  same "the rights of the lock" 600 "$(stat -c %a "$state/lock")"
  same "the rights of the development token" 600 "$(stat -c %a "$state/dev-token")"
  found=$(find "$state" -perm /g=w ! -type l ! -type s)
  [ -z "$found" ] || die "a group may write: $found"
}

# protected BINARY: position-independent, nothing of it writeable and
# executable, resolved before it starts and read-only then, with canaries and
# checked copies, all of our own code marked for checked jumps.
protected() {
  local header dynamic symbols
  header=$(readelf -hlW "$1")
  dynamic=$(readelf -dW "$1")
  symbols=$(readelf --dyn-syms -W "$1")
  expect "$1" 'Type: +DYN' "$header"
  expect "$1" 'GNU_RELRO' "$header"
  expect "$1" 'GNU_STACK .* RW +0x' "$header"
  refuse "$1" ' RWE ' "$header"
  expect "$1" 'FLAGS_1.* NOW' "$dynamic"
  expect "$1" 'FLAGS_1.* PIE' "$dynamic"
  expect "$1" '__stack_chk_fail' "$symbols"
  expect "$1" '__[a-z]+_chk@' "$symbols"
}

check_binaries() {
  local process
  say "the binaries are hardened"
  for process in "${processes[@]}"; do protected "$(binary "$process")"; done
}

# as PROCESS COMMAND...: as the user of the process.
as() {
  local user=$suite_group-$1
  shift
  setpriv --reuid="$user" --regid="$suite_group" --clear-groups -- "$@"
}

check_users() {
  local process other
  say "each process is a user of its own, who reads what it needs and no more"
  for process in "${processes[@]}"; do
    same "the user of $process" "$suite_group-$process" "$(stat -c %U "/proc/$(pid "$process")")"
    same "the user of $process's supervisor" "$suite_group-$process" \
      "$(stat -c %U "/proc/$(supervisor "$process")")"
    as "$process" cat "$state/tokens" >/dev/null || die "$process cannot read the tokens"
    for other in "$state/dev-token" "$state/lock" "$state/run/gateway.identity" "$pg_data/PG_VERSION"; do
      ! as "$process" cat "$other" >/dev/null 2>&1 || die "$process reads $other"
    done
    ! as "$process" sh -c ": >>'$state/tokens'" 2>/dev/null || die "$process may write the tokens"
    ! as "$process" sh -c ": >>'$(binary "$process")'" 2>/dev/null || die "$process may write its binary"
  done
  ! as gateway cat "$state/log/centre/centre.log" >/dev/null 2>&1 || die "the gateway reads the log of centre"
  same "the user of PostgreSQL" postgres "$(stat -c %U "/proc/$(pid postgres)")"
  say "the database lets each service in as itself, and nobody else"
  as centre psql -XAtq "$(database centre)" -c 'SELECT 1' >/dev/null || die "centre is not let in"
  for other in certification centre_owner postgres; do
    ! as centre psql -XAtq "host=$pg_socket dbname=centre user=$other" -c 'SELECT 1' >/dev/null 2>&1 ||
      die "centre is let in as $other"
  done
  ! as centre psql -XAtq "host=$pg_socket dbname=standards user=centre" -c 'SELECT 1' >/dev/null 2>&1 ||
    die "centre is let in to standards"
  ! as gateway psql -XAtq "$(database centre)" -c 'SELECT 1' >/dev/null 2>&1 || die "the gateway is let in"
  ! setpriv --reuid=nobody --regid=nogroup --clear-groups -- psql -XAtq "$(database centre)" -c 'SELECT 1' \
    >/dev/null 2>&1 || die "nobody is let in"
}

# What the role of each service may do in its database.
check_database() {
  local service statement
  say "no service may change history or schema"
  for service in "${services[@]}"; do
    while read -r statement; do
      ! psql -XAtq -v ON_ERROR_STOP=1 "$(database "$service")" -c "$statement" >/dev/null 2>"$output" ||
        die "$service may $statement"
      expect "$service, $statement" 'permission denied|must be owner' "$(cat "$output")"
    done <<'SQL'
ALTER TABLE journal DISABLE TRIGGER journal_append_only
UPDATE journal SET actor = 'other'
DELETE FROM journal
TRUNCATE journal CASCADE
TRUNCATE personal
DROP TABLE journal CASCADE
CREATE TABLE mine (n int)
CREATE TEMPORARY TABLE mine (n int)
CREATE SCHEMA mine
CREATE OR REPLACE FUNCTION journal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
UPDATE schema_migrations SET checksum = ''
SET session_replication_role = replica
SET ROLE postgres
SQL
    same "the owner of the tables of $service" "${service}_owner" \
      "$(pg_sql -At -d "$service" -c "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")"
    same "the owner of the database $service" "${service}_owner" \
      "$(pg_sql -At -c "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '$service'")"
  done
}
