# Sourced by run: what dies is started again, and taken up by deploy/up.
# shellcheck shell=bash disable=SC2154

# came_back NAME ID: whether it runs under another id.
came_back() { local now; now=$(pid "$1") && [ "$now" != "$2" ]; }

# ready PROCESS: whether it says so.
ready() { [ "$(curl -sS --noproxy '*' -m 5 -o /dev/null -w '%{http_code}' "http://$(address "$1" metrics)/readyz" 2>/dev/null)" = 200 ]; }

# Whether a change can be made; PostgreSQL may have to be reached anew first.
writes() {
  (staff 200 '/standards/v1/organizations?validateOnly=true' -d '{"displayName": "Again"}' >/dev/null 2>&1)
}

check_restarts() {
  local process id parent
  say "what is killed runs again, and its log says so"
  for process in "${processes[@]}" postgres; do
    id=$(pid "$process")
    kill -KILL "$id"
    wait_for "$process to run again" came_back "$process" "$id"
    lines_of "$state/log/$process/supervisor.log" "\"message\":\"ended\",.*\"pid\":$id,.*\"signal\":\"KILL\"" 1 ||
      die "no word of the death of $process"
  done
  for process in "${processes[@]}"; do wait_for "$process to be ready" ready "$process"; done
  wait_for "a write" writes

  say "deploy/up at once after PostgreSQL was killed"
  id=$(pid postgres)
  kill -KILL "$id"
  up --no-tour
  came_back postgres "$id" || die "PostgreSQL runs as before"
  call 200 '/standards/v1/organizations?pageSize=1' >/dev/null

  say "deploy/up takes up what lost its supervisor"
  for process in centre postgres; do
    id=$(pid "$process")
    parent=$(supervisor "$process")
    kill -KILL "$parent"
    ended "$parent" || die "the supervisor of $process does not end"
    up --no-tour
    came_back "$process" "$id" || die "$process runs as before"
    supervisor "$process" >/dev/null || die "$process has no supervisor"
  done

  say "deploy/up tells what is not ready, and why"
  check_unready
}

# With PostgreSQL's role gone astray no service can serve.
check_unready() {
  pg_sql -c 'ALTER ROLE centre NOLOGIN'
  stop centre >/dev/null
  ! "$root/deploy/up" --no-tour >"$output" 2>&1 || die "deploy/up is content with a service that cannot start"
  expect "what deploy/up says" 'centre ends whenever it is started; its logs are in' "$(cat "$output")"
  expect "what deploy/up says" 'not permitted to log in' "$(cat "$output")"
  pg_sql -c 'ALTER ROLE centre LOGIN'
  up --no-tour
}
