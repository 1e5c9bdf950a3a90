# Sourced, not run: the suite's state directory and its four processes.
# Needs machine.sh.
# shellcheck shell=bash

readonly services=(certification standards centre)

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
  pg_log=$state/log/postgres.log
}

make_state() {
  # The user postgres passes through to its own directories, and reads nothing.
  mkdir -p "$state" "$state/run" "$state/log"
  chmod 0711 "$state" "$state/run"
  chmod 0700 "$state/log"
}

# One up, down or token at a time.
lock_state() {
  exec 9>"$state/lock"
  flock -w 600 9 || die "another deploy command has held $state/lock for ten minutes"
}

# address PROCESS grpc|metrics|http: host:port
address() {
  local port
  case $1 in gateway) port=7100 ;; certification) port=7101 ;; standards) port=7102 ;; centre) port=7103 ;; esac
  case $2 in metrics) port=$((port + 90)) ;; http) port=$((port + 80)) ;; esac
  printf '127.0.0.1:%s\n' $((port + port_offset))
}

binary() {
  case $1 in
    gateway) printf '%s\n' "$root/build/release/bin/gateway" ;;
    *) printf '%s\n' "$root/build/release/bin/$1-service" ;;
  esac
}

database() { printf 'host=%s dbname=%s user=%s\n' "$pg_socket" "$1" "$1"; }

# serve_flags PROCESS: sets the array `flags`.
serve_flags() {
  local service
  flags=("--listen=$(address "$1" grpc)" "--metrics_listen=$(address "$1" metrics)"
    "--tokens_file=$state/tokens")
  if [ "$1" = gateway ]; then
    flags+=("--http_listen=$(address gateway http)")
    for service in "${services[@]}"; do
      flags+=("--$service=$(address "$service" grpc)")
    done
  else
    flags+=("--database=$(database "$1")")
  fi
}

# pid PROCESS: the process id of PROCESS if it runs. A pid file alone proves
# nothing: ids are used again.
pid() {
  local id
  id=$(cat "$state/run/$1.pid" 2>/dev/null) || return 1
  [ -n "$id" ] && grep -zqxF "$(binary "$1")" "/proc/$id/cmdline" 2>/dev/null && printf '%s\n' "$id"
}

# What a running process was made of.
identity() {
  serve_flags "$1"
  printf '%s\n' "$(sha256sum <"$(binary "$1")")" "${flags[@]}"
}

# start PROCESS: (re)starts it unless it runs as it should; returns at once.
start() {
  local wanted running
  wanted=$(identity "$1")
  if running=$(pid "$1"); then
    [ "$wanted" = "$(cat "$state/run/$1.identity" 2>/dev/null)" ] && return
    stop "$1"
  fi
  serve_flags "$1"
  local endpoint
  for endpoint in "${flags[@]}"; do
    case $endpoint in --listen=* | --http_listen=* | --metrics_listen=*)
      ! answers "${endpoint#*=}" || die "${endpoint#*=} is taken by another program; $1 needs it"
    esac
  done
  say "starting $1"
  local log=$state/log/$1.log
  if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt 20000000 ]; then mv "$log" "$log.1"; fi
  (cd / && exec setsid nohup "$(binary "$1")" serve "${flags[@]}" >>"$log" 2>&1 </dev/null 9>&-) &
  printf '%s\n' $! >"$state/run/$1.pid"
  printf '%s\n' "$wanted" >"$state/run/$1.identity"
}

# Whether something listens on host:port.
answers() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# wait_ready PROCESS: until /readyz says yes, at most 60 s.
wait_ready() {
  local until=$((SECONDS + 60)) url
  url=http://$(address "$1" metrics)/readyz
  until curl -fsS --noproxy '*' -o /dev/null -m 5 "$url" 2>/dev/null; do
    if ! pid "$1" >/dev/null; then
      tail -n 20 "$state/log/$1.log" >&2
      die "$1 ended at once; its log is $state/log/$1.log"
    fi
    if [ $SECONDS -ge $until ]; then
      tail -n 20 "$state/log/$1.log" >&2
      die "$1 is not ready after 60 s ($url); its log is $state/log/$1.log"
    fi
    sleep 0.1
  done
}

# stop PROCESS: SIGTERM, so that calls in flight end well; SIGKILL after 30 s.
stop() {
  local id until=$((SECONDS + 30))
  if id=$(pid "$1"); then
    say "stopping $1"
    kill -TERM "$id"
    while pid "$1" >/dev/null; do
      if [ $SECONDS -ge $until ]; then
        say "$1 does not end; killing it"
        kill -KILL "$id"
        until=$((SECONDS + 30))
      fi
      sleep 0.05
    done
  fi
  rm -f "$state/run/$1.pid" "$state/run/$1.identity"
}

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
  mv "$state/tokens.new" "$state/tokens"
}
