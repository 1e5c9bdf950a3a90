# Sourced, not run: the suite's state directory, its users and its processes.
# Needs machine.sh and postgres.sh.
# shellcheck shell=bash disable=SC2154

readonly services=(certification standards centre)
readonly processes=("${services[@]}" gateway)
# The group that all processes are in.
readonly suite_group=transparency

# Where everything lives that is not the checkout, and the ports.
locate_state() {
  local default=/var/lib/transparency-suite
  [ "$(id -u)" = 0 ] ||
    default=${XDG_STATE_HOME:-$HOME/.local/state}/transparency-suite
  state=${TRANSPARENCY_STATE_DIR:-$default}
  case $state in /*) ;; *) die "the state directory must be an absolute path: $state" ;; esac
  port_offset=${TRANSPARENCY_PORT_OFFSET:-0}
  [[ $port_offset =~ ^[0-9]{1,5}$ ]] || die "TRANSPARENCY_PORT_OFFSET is not a number: $port_offset"
  pg_data=$state/pg
  pg_socket=$state/run/pg
  pg_log=$state/log/initdb.log
}

# Makes the state directory. The users of the processes pass through to what is
# theirs, and read nothing else.
make_state() {
  mkdir -p "$state" "$state/run" "$state/log" "$state/bin"
  chmod 0711 "$state" "$state/run" "$state/log" "$state/bin"
  (umask 077 && : >>"$state/lock")
  find "$state" "$state/run" "$state/log" -maxdepth 1 -type f ! -name tokens ! -perm 0600 -exec chmod 0600 {} +
}

# One up, down or token at a time.
lock_state() {
  exec 9>>"$state/lock"
  flock -w 600 9 || die "another deploy command has held $state/lock for ten minutes"
}

# Makes the users that the processes run as, one for each, where root can.
make_users() {
  local process
  if [ "$(id -u)" != 0 ] || pg_runs_in_namespace; then return 0; fi
  getent group "$suite_group" >/dev/null || groupadd --system "$suite_group" || return 0
  for process in "${processes[@]}"; do
    id -u "$suite_group-$process" >/dev/null 2>&1 ||
      useradd --system --gid "$suite_group" --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin "$suite_group-$process" || return 0
  done
}

# Whether the processes run as users of their own: root can take them on, and
# they can reach the state directory. A container may have one user alone, and
# whoever is not root has itself.
separate_users() {
  local process
  if [ -z "${separate:-}" ]; then
    separate=yes
    if [ "$(id -u)" != 0 ] || pg_runs_in_namespace; then separate=no; fi
    for process in "${processes[@]}"; do
      [ $separate = yes ] || break
      setpriv --reuid="$suite_group-$process" --regid="$suite_group" --clear-groups -- test -x "$state/run" 2>/dev/null ||
        separate=no
    done
  fi
  [ $separate = yes ]
}

# The user that a process runs as.
user_of() {
  if separate_users; then printf '%s\n' "$suite_group-$1"; else id -un; fi
}

# user_command PROCESS: sets the array `command`, which runs another command as
# the process's user, with no capability and no way to any privilege.
user_command() {
  command=(setpriv --no-new-privs)
  if separate_users; then
    command+=("--reuid=$suite_group-$1" "--regid=$suite_group" --clear-groups --inh-caps=-all --bounding-set=-all)
  elif setpriv --inh-caps=-all --bounding-set=-all true 2>/dev/null; then
    command+=(--inh-caps=-all --bounding-set=-all)
  fi
  command+=(--)
}

# share MODE FILE: gives it that mode, less what the processes' group may do
# where they have no such group.
share() {
  if separate_users; then
    chgrp "$suite_group" "$2"
    chmod "$1" "$2"
  else
    chmod "$1,g=" "$2"
  fi
}

# address PROCESS grpc|metrics|http: host:port
address() {
  local port
  case $1 in gateway) port=7100 ;; certification) port=7101 ;; standards) port=7102 ;; centre) port=7103 ;; esac
  case $2 in metrics) port=$((port + 90)) ;; http) port=$((port + 80)) ;; esac
  printf '127.0.0.1:%s\n' $((port + port_offset))
}

# What build/release holds of a process, and the copy of it that runs: where the
# process's user can read it, and not changed by a build.
built() {
  case $1 in
    gateway) printf '%s\n' "$root/build/release/bin/gateway" ;;
    *) printf '%s\n' "$root/build/release/bin/$1-service" ;;
  esac
}
binary() { printf '%s\n' "$state/bin/$(basename "$(built "$1")")"; }

# install_programs: brings $state/bin up to date. What runs keeps the file that
# it was started from.
install_programs() {
  local program installed
  for program in "$root/deploy/supervise" "$(built certification)" "$(built standards)" "$(built centre)" \
    "$(built gateway)"; do
    installed=$state/bin/${program##*/}
    if cmp -s "$program" "$installed"; then
      let_run "$installed"
    else
      install -m 0700 "$program" "$installed.new"
      let_run "$installed.new"
      mv "$installed.new" "$installed"
    fi
  done
}

# let_run FILE: lets the processes run it; the supervisor is PostgreSQL's too.
let_run() {
  case $1 in
    */supervise | */supervise.new) chmod 0755 "$1" ;;
    *) share u=rwx,g=rx,o= "$1" ;;
  esac
}

# database SERVICE [ROLE]: how to reach it, as the service unless said otherwise.
database() { printf 'host=%s dbname=%s user=%s\n' "$pg_socket" "$1" "${2:-$1}"; }

# admit_users: who may be whom in the database: each service itself alone; who
# runs the deploy commands, the owners and the superuser.
admit_users() {
  local service admin
  local -a admitted
  # As PostgreSQL sees it.
  admin=$(id -un)
  if [ "$(id -u)" = 0 ] && pg_runs_in_namespace; then admin=postgres; fi
  admitted=("$admin" postgres)
  for service in "${services[@]}"; do
    admitted+=("$admin" "${service}_owner" "$admin" "$service")
    if separate_users; then admitted+=("$(user_of "$service")" "$service"); fi
  done
  pg_admit "${admitted[@]}"
}

# serve_flags PROCESS: sets the array `flags`.
serve_flags() {
  local service
  flags=("--listen=$(address "$1" grpc)" "--metrics_listen=$(address "$1" metrics)"
    "--tokens_file=$state/tokens" "--log_file=$state/log/$1/$1.log")
  if [ "$1" = gateway ]; then
    flags+=("--http_listen=$(address gateway http)" "--gateway_token_file=$state/gateway-token")
    for service in "${services[@]}"; do
      flags+=("--$service=$(address "$service" grpc)")
    done
  else
    flags+=("--database=$(database "$1")")
  fi
}

# start PROCESS: (re)starts it unless it runs as it should; returns at once.
start() {
  local endpoint wanted
  local -a flags command
  serve_flags "$1"
  user_command "$1"
  wanted=$(sha256sum <"$(binary "$1")"; printf '%s\n' "${command[@]}" "${flags[@]}")
  ! runs_as "$1" "$wanted" || return 0
  stop "$1"
  for endpoint in "${flags[@]}"; do
    case $endpoint in --listen=* | --http_listen=* | --metrics_listen=*)
      ! answers "${endpoint#*=}" || die "${endpoint#*=} is taken by another program; $1 needs it"
    esac
  done
  if separate_users || [ "$(id -u)" != 0 ]; then
    say "starting $1 as $(user_of "$1")"
  else
    say "starting $1 as root, without its capabilities: it cannot have a user of its own here"
  fi
  log_directory "$1" "$(user_of "$1")"
  supervise "$1" "$wanted" "$(binary "$1")" serve "${flags[@]}"
}

# start_postgres: the same for PostgreSQL, which is made first if need be; waits
# until it answers.
start_postgres() {
  local wanted until
  local -a command pg_flags pg_user
  ! separate_users || pg_group=$suite_group
  pg_make
  admit_users
  pg_settings logging_collector=on log_destination=stderr "log_directory=$state/log/postgres" \
    log_filename=postgres-%Y%m%d-%H%M%S.log log_file_mode=0600 log_rotation_size=10MB log_rotation_age=0
  pg_user
  command=("${pg_user[@]}")
  wanted=$(printf '%s\n' "$(pg_bin)" "${command[@]}" "${pg_flags[@]}")
  if ! runs_as postgres "$wanted"; then
    stop postgres
    say "starting PostgreSQL"
    mkdir -p "$state/log/postgres"
    chown --reference="$pg_data" "$state/log/postgres"
    chmod 0700 "$state/log/postgres"
    # Within seven files of 10 MB; fast, which SIGINT means, cuts sessions.
    supervise postgres "$wanted" --stop-signal INT --keep 7 "$state/log/postgres/postgres-*.log" -- \
      "$(pg_bin)/postgres" -D "$pg_data" "${pg_flags[@]}"
  fi
  until=$((SECONDS + 60))
  until pg_sql -c 'SELECT 1' >/dev/null 2>&1; do
    if ! supervisor postgres >/dev/null || [ $SECONDS -ge $until ]; then
      end_of_log postgres >&2
      die "PostgreSQL does not answer; its logs are in $state/log/postgres"
    fi
    sleep 0.1
  done
}

# log_directory NAME USER
log_directory() {
  mkdir -p "$state/log/$1"
  chown "$2" "$state/log/$1"
  chmod 0700 "$state/log/$1"
}

# supervise NAME WANTED [OPTION... --] PROGRAM [ARGUMENT...]: runs the program by
# the array `command` and starts it again when it dies. WANTED tells later
# whether it runs as it should.
supervise() {
  local name=$1 wanted=$2
  local -a options=()
  shift 2
  if [[ " $* " == *" -- "* ]]; then
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
  fi
  # Nothing of the environment of whoever starts it, and no dumps of memory, in
  # which tokens and personal data are.
  (cd / && ulimit -c 0 &&
    exec setsid nohup "${command[@]}" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 \
      "$state/bin/supervise" "${options[@]}" "$name" "$state/log/$name/supervisor.log" "$@" \
      >"$state/log/$name.start" 2>&1 </dev/null 9>&-) &
  printf '%s\n' $! >"$state/run/$name.pid"
  printf '%s\n' "$wanted" >"$state/run/$name.identity"
}

# supervisor NAME: the process id of what keeps NAME running, if that runs. A pid
# file alone proves nothing: ids are used again.
supervisor() {
  local id
  id=$(cat "$state/run/$1.pid" 2>/dev/null) || return 1
  [ -n "$id" ] && grep -zqxF "$state/bin/supervise" "/proc/$id/cmdline" 2>/dev/null && printf '%s\n' "$id"
}

# pid NAME: the process id of NAME itself, if it runs, supervised or not.
pid() {
  local link id
  if [ "$1" = postgres ]; then
    pg_pid
    return
  fi
  # One that an earlier version of these commands started from the build folder.
  if id=$(cat "$state/run/$1.pid" 2>/dev/null) && [ "$(readlink "/proc/$id/exe")" = "$(built "$1")" ]; then
    printf '%s\n' "$id"
    return
  fi
  while read -r link; do
    id=${link#/proc/}
    id=${id%/exe}
    grep -zqx serve "/proc/$id/cmdline" 2>/dev/null || continue
    printf '%s\n' "$id"
    return
  done < <(find /proc -maxdepth 2 -name exe \
    \( -lname "$(binary "$1")" -o -lname "$(binary "$1") (deleted)" \) 2>/dev/null)
  return 1
}

# runs_as NAME WANTED: whether it is kept running, and as wanted.
runs_as() {
  supervisor "$1" >/dev/null && [ "$2" = "$(cat "$state/run/$1.identity" 2>/dev/null)" ]
}

# stop NAME: its supervisor tells it to end, so that calls in flight end well;
# after 30 s it is killed.
stop() {
  local keeper id until=$((SECONDS + 30)) signal=TERM
  # PostgreSQL waits for its sessions on SIGTERM.
  [ "$1" != postgres ] || signal=INT
  if supervisor "$1" >/dev/null || pid "$1" >/dev/null; then
    say "stopping $1"
    if keeper=$(supervisor "$1"); then kill -TERM "$keeper" || true; fi
    until ! supervisor "$1" >/dev/null && ! pid "$1" >/dev/null; do
      # What no supervisor keeps (any more) is told itself, once.
      if [ -n "$signal" ] && ! supervisor "$1" >/dev/null && id=$(pid "$1"); then
        kill -s "$signal" "$id" || true
        signal=
      fi
      if [ $SECONDS -ge $until ]; then
        say "$1 does not end; killing it"
        ! id=$(pid "$1") || kill -KILL "$id" || true
        until=$((SECONDS + 30))
      fi
      sleep 0.05
    done
  fi
  rm -f "$state/run/$1.pid" "$state/run/$1.identity"
}

# Whether something listens on host:port.
answers() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# The last lines that a process or PostgreSQL wrote, the supervisor's included.
end_of_log() { tail -q -n 10 "$state/log/$1.start" "$state/log/$1"/*.log 2>/dev/null || true; }

# wait_ready PROCESS: until /readyz says yes, at most 60 s; what does not get
# that far ends the command with what /readyz says and the end of the log.
wait_ready() {
  local until=$((SECONDS + 60)) url answer begun ended
  url=http://$(address "$1" metrics)/readyz
  begun=$(deaths "$1")
  until answer=$(curl -sS --noproxy '*' -w '\n%{http_code}' -m 5 "$url" 2>&1) &&
    [ "${answer##*$'\n'}" = 200 ]; do
    ended=$(($(deaths "$1") - begun))
    if [ $ended -ge 3 ] || [ $SECONDS -ge $until ] || ! supervisor "$1" >/dev/null; then
      end_of_log "$1" >&2
      supervisor "$1" >/dev/null || die "$1 could not be started; its logs are in $state/log/$1"
      [ $ended -lt 3 ] || die "$1 ends whenever it is started; its logs are in $state/log/$1"
      die "$1 is not ready after 60 s: $url says ${answer//$'\n'/ }; its logs are in $state/log/$1"
    fi
    sleep 0.1
  done
}

# How often NAME has died, as far as its supervisor's log tells.
deaths() { grep -c '"message":"ended"' "$state/log/$1/supervisor.log" 2>/dev/null || true; }

# add_token NAME ROLES: makes a token and prints it; the file keeps its SHA-256.
add_token() {
  local token digest
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9@._:/+-]{0,99}$ ]] ||
    die "a name is letters, digits and @._:/+- (at most 100): $1"
  [[ $2 =~ ^(-|[a-z][a-z0-9_-]*(,[a-z][a-z0-9_-]*)*)$ ]] ||
    die "roles are like staff,auditor, or - for none: $2"
  token=$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=')
  digest=$(printf '%s' "$token" | sha256sum | cut -d ' ' -f 1)
  replace_tokens "$(cat "$state/tokens" 2>/dev/null; printf '%s %s %s\n' "$digest" "$1" "$2")"
  printf '%s\n' "$token"
}

# replace_tokens TEXT: the services read the file again when it changes, so it
# changes in one step.
replace_tokens() {
  (umask 077 && printf '%s\n' "$1" >"$state/tokens.new")
  share u=rw,g=r,o= "$state/tokens.new"
  mv "$state/tokens.new" "$state/tokens"
}
