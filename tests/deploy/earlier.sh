# Sourced by run: what the deploy commands of before left behind is taken over.
# shellcheck shell=bash disable=SC2154

# Gives each database to its service and lets everybody in, as a cluster of then.
make_earlier_cluster() {
  local service
  pg_write pg_hba.conf 'local all all trust'$'\n' || true
  pg_start
  for service in "${services[@]}"; do
    pg_sql -d "$service" -v name="$service" -v owner="${service}_owner" <<'SQL'
ALTER DATABASE :"name" OWNER TO :"name";
REASSIGN OWNED BY :"owner" TO :"name";
DROP OWNED BY :"owner";
DROP ROLE :"owner";
SQL
  done
  chmod 0755 "$pg_socket"
}

# A gateway started from the build folder, without a supervisor.
start_earlier_gateway() {
  local -a flags
  serve_flags gateway
  (cd / && exec setsid nohup "$(built gateway)" serve "${flags[@]}" >>"$state/log/gateway.log" 2>&1 </dev/null) &
  printf '%s\n' $! >"$state/run/gateway.pid"
  wait_for "the earlier gateway" answers "$(address gateway grpc)"
}

check_earlier() {
  local server gateway
  say "deploy/up over what an earlier version left"
  make_earlier_cluster
  server=$(pid postgres)
  start_earlier_gateway
  gateway=$(pid gateway)
  chmod 0644 "$state/lock" "$state/tokens" "$state/log/gateway.log"
  chmod 0755 "$state" "$state/run"
  up --no-tour
  ended "$server" || die "the earlier PostgreSQL still runs"
  ended "$gateway" || die "the earlier gateway still runs"
  check_privileges
}
