# Sourced, not run: what a machine must have before anything is built.
# Needs $root, the checkout. Everything here does nothing when nothing is missing.
# shellcheck shell=bash

say() { printf '%s\n' "== $*"; }
die() { printf '%s\n' "$0: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (neither root nor sudo here)"
  fi
}

# missing_packages GROUP...: prints the packages of deploy/packages that are not installed.
missing_packages() {
  local installed group package command
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  while read -r group package command; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    if [ -n "$command" ] && command -v "$command" >/dev/null; then continue; fi
    grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
  done < <(grep -v '^#' "$root/deploy/packages")
}

# require_packages GROUP...: installs what is missing.
require_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  case " ${missing[*]} " in
    *" postgresql"*) forbid_default_cluster ;;
  esac
  # Proxies are handed on by name: sudo drops the environment.
  local apt=(env "http_proxy=${http_proxy:-}" "https_proxy=${https_proxy:-}"
    DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold)
  local log
  log=$(mktemp)
  if ! { as_root "${apt[@]}" update &&
      as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } \
      >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# Keeps the package postgresql-15 from making and starting a cluster of its own.
forbid_default_cluster() {
  local file=/etc/postgresql-common/createcluster.conf
  [ -e "$file" ] || as_root sh -c \
    "mkdir -p ${file%/*} && printf 'create_main_cluster = false\n' >$file"
}

# Installs what package-lock.json names, when that is not what is there.
require_node_modules() {
  cmp -s "$root/package-lock.json" "$root/node_modules/.installed-lock.json" && return
  say "installing the npm packages"
  if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null
  then
    export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
  fi
  (cd "$root" && npm ci --loglevel=error) || die "npm ci failed"
  cp "$root/package-lock.json" "$root/node_modules/.installed-lock.json"
}

# As many compilers at once as cores, and no more than memory allows (1.5 GB each).
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  printf '%s\n' $((cores < memory ? cores : memory))
}

# build_preset PRESET [TARGET...]: configures when the preset was never
# configured, and builds; says nothing when nothing is to do.
build_preset() {
  local preset=$1 log
  shift
  log=$(mktemp)
  if [ ! -e "$root/build/$preset/build.ninja" ]; then
    say "configuring build/$preset"
    (cd "$root" && cmake --preset "$preset") >"$log" 2>&1 ||
      { tail -n 40 "$log" >&2; rm -f "$log"; die "cmake --preset $preset failed"; }
  fi
  rm -f "$log"
  (cd "$root" && ninja -C "build/$preset" -j "$(build_jobs)" "$@") || die "the build failed"
}
