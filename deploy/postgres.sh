# Sourced, not run: a private PostgreSQL cluster on a Unix socket.
# Needs machine.sh. The cluster is three variables, set by the caller:
#   pg_data    its data directory
#   pg_socket  the directory of its socket; the only way in, 0700
#   pg_log     its log file
# and, where wanted, pg_environment, an array of NAME=VALUE for its programs.
# shellcheck shell=bash disable=SC2154

pg_environment=()

# PostgreSQL refuses to run as root. Root runs it as the user postgres; where
# that user cannot be taken on (a container with one user) or cannot reach the
# directory, as root seen as postgres in a user namespace. The owner of an
# existing data directory decides.
as_postgres() {
  # Behind the change of user: what a preloaded library keeps belongs to one.
  set -- env "${pg_environment[@]}" "$@"
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif pg_runs_in_namespace; then
    unshare --user --map-user="$(id -u postgres)" --map-group="$(id -g postgres)" -- "$@"
  else
    setpriv --reuid=postgres --regid=postgres --init-groups -- env HOME=/tmp "$@"
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

# pg_start [SETTING=VALUE...]: makes the cluster when there is none and starts
# it when it does not run.
# shellcheck disable=SC2120
pg_start() {
  local bin options setting made=
  bin=$(pg_bin)
  [ -x "$bin/postgres" ] || die "no PostgreSQL server in $bin"
  [ ${#pg_socket} -le 90 ] ||
    die "the path $pg_socket is too long for a Unix socket; choose a shorter state directory"
  if [ ! -e "$pg_data/PG_VERSION" ]; then
    mkdir -p "$pg_data" "$pg_socket"
    chmod 0700 "$pg_data" "$pg_socket"
    if [ "$(id -u)" = 0 ] && ! pg_runs_in_namespace; then
      chown postgres: "$pg_data" "$pg_socket"
    fi
    # Trust: whoever may enter the socket's directory may be anyone.
    as_postgres "$bin/initdb" -D "$pg_data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
      --no-instructions >>"$pg_log" 2>&1 || { tail -n 20 "$pg_log" >&2; die "initdb failed"; }
    made=yes
  fi
  as_postgres "$bin/pg_ctl" -D "$pg_data" status >/dev/null 2>&1 && return
  [ -n "$made" ] || mkdir -p "$pg_socket"
  # Error reports without DETAIL and statement: they quote rows, and rows may
  # hold what only the table of personal data may.
  options="-c listen_addresses='' -c unix_socket_directories='$pg_socket'"
  options+=" -c unix_socket_permissions=0700 -c timezone=UTC -c log_timezone=UTC"
  options+=" -c log_error_verbosity=terse -c log_min_error_statement=panic -c jit=off"
  options+=" -c log_checkpoints=off"
  for setting in "$@"; do options+=" -c $setting"; done
  # The server keeps the descriptor of its log, whose path may be out of its
  # reach, and must not keep 9, which a caller may have locked.
  (cd / && as_postgres "$bin/pg_ctl" -D "$pg_data" -w -t 60 -o "$options" start) \
    >>"$pg_log" 2>&1 </dev/null 9>&- ||
    { tail -n 20 "$pg_log" >&2; die "PostgreSQL did not start; its log is $pg_log"; }
}

# Stops the cluster if it runs; sessions are cut, nothing committed is lost.
pg_stop() {
  local bin
  [ -e "$pg_data/PG_VERSION" ] || return 0
  bin=$(pg_bin)
  as_postgres "$bin/pg_ctl" -D "$pg_data" status >/dev/null 2>&1 || return 0
  (cd / && as_postgres "$bin/pg_ctl" -D "$pg_data" -w -m fast stop) >>"$pg_log" 2>&1
}

# pg_sql [PSQL OPTION...]: psql as the superuser; statements on stdin.
pg_sql() {
  "$(pg_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$pg_socket" -U postgres -d postgres "$@"
}

# pg_own_database NAME...: a role and a database of the same name for each
# service; no other role may connect to it.
pg_own_database() {
  local name
  for name in "$@"; do
    pg_sql -v name="$name" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
-- A frozen replica must not hold the order lock for good, and one that waits
-- for the lock must outlast that.
ALTER ROLE :"name" SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE :"name" SET lock_timeout = '8s';
ALTER ROLE :"name" SET statement_timeout = '5min';
ALTER ROLE :"name" SET timezone = 'UTC';
SQL
  done
}
