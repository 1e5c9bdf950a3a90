# Sourced, not run: a private PostgreSQL cluster on a Unix socket.
# Needs machine.sh. The cluster is three variables, set by the caller:
#   pg_data    its data directory
#   pg_socket  the directory of its socket, the only way in
#   pg_log     its log file, of initdb and pg_ctl
# and, where wanted,
#   pg_environment  an array of NAME=VALUE for its programs
#   pg_group        the group whose members may enter the socket's directory
# shellcheck shell=bash disable=SC2154

pg_environment=()
pg_group=
pg_flags=()
pg_user=()

# PostgreSQL refuses to run as root. Root runs it as the user postgres; where
# that user cannot be taken on (a container with one user) or cannot reach the
# directory, as root seen as postgres in a user namespace. The owner of an
# existing data directory decides.
as_postgres() {
  local -a pg_user
  pg_user
  # Behind the change of user: what a preloaded library keeps belongs to one.
  "${pg_user[@]}" env HOME=/tmp "${pg_environment[@]}" "$@"
}

# Sets the array `pg_user`: the command that runs another one as that user,
# without a way back.
pg_user() {
  if [ "$(id -u)" != 0 ]; then
    pg_user=(setpriv --no-new-privs --)
  elif pg_runs_in_namespace; then
    pg_user=(unshare --user --map-user="$(id -u postgres)" --map-group="$(id -g postgres)" --
      setpriv --no-new-privs --)
  else
    pg_user=(setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all
      --bounding-set=-all --no-new-privs --)
  fi
}

pg_runs_in_namespace() {
  if [ -e "$pg_data/PG_VERSION" ]; then
    [ "$(stat -c %u "$pg_data")" = 0 ]
  else
    ! setpriv --reuid=postgres --regid=postgres --init-groups -- \
      test -x "${pg_data%/*}" -a -x "${pg_socket%/*}" 2>/dev/null
  fi
}

# The newest server installed, or the one the cluster was made with.
pg_bin() {
  local version=*
  [ ! -e "$pg_data/PG_VERSION" ] || version=$(cat "$pg_data/PG_VERSION")
  # shellcheck disable=SC2086
  printf '%s\n' /usr/lib/postgresql/$version/bin | sort -V | tail -n 1
}

# pg_make: makes the cluster when there is none.
pg_make() {
  local bin
  bin=$(pg_bin)
  [ -x "$bin/postgres" ] || die "no PostgreSQL server in $bin"
  [ ${#pg_socket} -le 90 ] ||
    die "the path $pg_socket is too long for a Unix socket; choose a shorter state directory"
  [ -e "$pg_data/PG_VERSION" ] || pg_make_directory "$pg_data"
  pg_make_directory "$pg_socket"
  [ -z "$pg_group" ] || { chgrp "$pg_group" "$pg_socket" && chmod 0750 "$pg_socket"; }
  [ ! -e "$pg_data/PG_VERSION" ] || return 0
  # Trust: whoever may enter the socket's directory may be anyone, unless
  # pg_admit says who is who.
  as_postgres "$bin/initdb" -D "$pg_data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
    --no-instructions >>"$pg_log" 2>&1 || { tail -n 20 "$pg_log" >&2; die "initdb failed"; }
}

# pg_make_directory DIRECTORY: one that PostgreSQL alone may enter.
pg_make_directory() {
  mkdir -p "$1"
  if [ "$(id -u)" = 0 ] && ! pg_runs_in_namespace; then chown postgres: "$1"; fi
  chmod 0700 "$1"
}

# pg_admit [USER ROLE]...: from now on those users of this machine, and no
# others, are let in, each as these roles alone.
pg_admit() {
  local map='' id changed=''
  while [ $# -gt 0 ]; do
    map+="suite \"$1\" \"$2\""$'\n'
    shift 2
  done
  pg_write pg_ident.conf "$map" || changed=yes
  pg_write pg_hba.conf 'local all all peer map=suite'$'\n' || changed=yes
  if [ -n "$changed" ] && id=$(pg_pid); then kill -HUP "$id"; fi
}

# pg_write FILE TEXT: writes a file of the data directory, as its owner; returns
# 1 where it held something else.
pg_write() {
  [ "$(cat "$pg_data/$1"; printf x)" != "$2x" ] || return 0
  # shellcheck disable=SC2016
  as_postgres sh -c 'umask 077 && cat >"$1.new" && mv "$1.new" "$1"' sh "$pg_data/$1" <<<"${2%$'\n'}" ||
    die "cannot write $pg_data/$1"
  return 1
}

# The id of the server, if it runs: one that was killed and that nobody has
# waited for yet has an id, but no program.
pg_pid() {
  local id program
  id=$(head -n 1 "$pg_data/postmaster.pid" 2>/dev/null) && [ -n "$id" ] || return 1
  program=$(readlink "/proc/$id/exe") || return 1
  case $program in */postgres | */'postgres (deleted)') printf '%s\n' "$id" ;; *) return 1 ;; esac
}

# pg_settings [SETTING=VALUE...]: sets the array `pg_flags`, of the server.
pg_settings() {
  local setting
  # Error reports without DETAIL and statement: they quote rows, and rows may
  # hold what only the table of personal data may.
  set -- listen_addresses= "unix_socket_directories=$pg_socket" unix_socket_permissions=0777 \
    timezone=UTC log_timezone=UTC log_error_verbosity=terse log_min_error_statement=panic jit=off \
    log_checkpoints=off "$@"
  pg_flags=()
  for setting in "$@"; do pg_flags+=(-c "$setting"); done
}

# pg_start [SETTING=VALUE...]: makes the cluster when there is none and starts
# it when it does not run; nothing starts it again when it ends.
# shellcheck disable=SC2120
pg_start() {
  local bin id
  pg_make
  ! pg_pid >/dev/null || return 0
  # pg_ctl takes for running whatever has an id: that is gone in a moment.
  if id=$(head -n 1 "$pg_data/postmaster.pid" 2>/dev/null) &&
    grep -q '^State:.Z' "/proc/$id/status" 2>/dev/null; then
    timeout 10 tail --pid="$id" -s 0.05 -f /dev/null || true
  fi
  bin=$(pg_bin)
  pg_settings "$@"
  # The server keeps the descriptor of its log, whose path may be out of its
  # reach, and must not keep 9, which a caller may have locked.
  (cd / && as_postgres "$bin/pg_ctl" -D "$pg_data" -w -t 60 -o "$(printf '%q ' "${pg_flags[@]}")" start) \
    >>"$pg_log" 2>&1 </dev/null 9>&- ||
    { tail -n 20 "$pg_log" >&2; die "PostgreSQL did not start; its log is $pg_log"; }
}

# Stops the cluster if it runs; sessions are cut, nothing committed is lost.
pg_stop() {
  pg_pid >/dev/null || return 0
  (cd / && as_postgres "$(pg_bin)/pg_ctl" -D "$pg_data" -w -m fast stop) >>"$pg_log" 2>&1
}

# pg_sql [PSQL OPTION...]: psql as the superuser; statements on stdin.
pg_sql() {
  "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$pg_socket" -U postgres -d postgres "$@"
}

# pg_own_database NAME...: for each service a database of that name, the role
# NAME_owner, which owns it and all in it, and the role NAME, for the service:
# what that one may do in the database, `migrate --service_role` says. No other
# role may connect. What the service's role owned before goes to the owner.
pg_own_database() {
  local name
  for name in "$@"; do
    pg_sql -v name="$name" -v owner="${name}_owner" <<'SQL'
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I LOGIN', role) FROM unnest(ARRAY[:'name', :'owner']) AS role
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"name";
-- A frozen replica must not hold the order lock for good, and one that waits
-- for the lock must outlast that.
ALTER ROLE :"name" SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE :"name" SET lock_timeout = '8s';
ALTER ROLE :"name" SET statement_timeout = '5min';
ALTER ROLE :"name" SET timezone = 'UTC';
ALTER ROLE :"owner" SET timezone = 'UTC';
\connect :"name"
SET client_min_messages = warning;
REASSIGN OWNED BY :"name" TO :"owner";
SQL
  done
}
