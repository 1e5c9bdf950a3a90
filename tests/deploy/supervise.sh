# Sourced by run: deploy/supervise by itself, with programs that die on purpose.
# shellcheck shell=bash disable=SC2154

# wait_for WHAT COMMAND...: until the command succeeds, a minute at most.
wait_for() {
  local what=$1 until=$((SECONDS + 60))
  shift
  until "$@"; do
    [ $SECONDS -lt $until ] || die "waited a minute for $what"
    sleep 0.02
  done
}

# lines_of FILE PATTERN COUNT: whether so many lines match, or more.
lines_of() { [ -e "$1" ] && [ "$(grep -cE -- "$2" "$1")" -ge "$3" ]; }

# pauses FILE: those that were announced, in one line.
pauses() { sed -n 's/.*"pause_ms":\([0-9]*\)}$/\1/p' "$1" | paste -sd ' '; }

# supervised COMMAND...: in the background, with short pauses; sets `keeper`.
supervised() {
  rm -f "$log" "$log.1"
  "$root/deploy/supervise" --shortest 10 --longest 80 --steady 400 "$@" &
  keeper=$!
}

end_keeper() {
  kill -TERM "$keeper"
  wait "$keeper" || die "deploy/supervise ended with an error"
  keeper=
}

check_supervise() {
  local log=$scratch/supervise.log
  say "deploy/supervise: pauses that grow up to the longest"
  supervised dies "$log" bash -c 'echo "here it dies" >&2; kill -ABRT $$'
  wait_for "six deaths" lines_of "$log" '"message":"ended"' 6
  end_keeper
  [[ $(pauses "$log") == "10 20 40 80 80 80"* ]] || die "the pauses were $(pauses "$log")"
  expect "the log" '"level":"error","message":"ended","process":"dies",.*"code":134,.*"signal":"ABRT"' \
    "$(cat "$log")"
  lines_of "$log" '^here it dies$' 6 || die "what it wrote on standard error is not kept"
  grep -h '^{' "$log" | /usr/bin/python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' ||
    die "a line of the log is no JSON"

  say "deploy/supervise: the shortest pause again after it ran well"
  touch "$scratch/ill"
  supervised recovers "$log" bash -c "[ -e '$scratch/ill' ] || sleep 0.6"
  wait_for "four deaths" lines_of "$log" '"message":"ended"' 4
  rm "$scratch/ill"
  wait_for "an end after a good while" lines_of "$log" '"ran_ms":[5-9][0-9][0-9],"pause_ms":10}' 1
  end_keeper

  say "deploy/supervise: SIGTERM ends the program by its signal, and is no death"
  supervised --stop-signal USR1 waits "$log" \
    bash -c 'trap "echo asked; exit 0" USR1; echo set; while :; do sleep 0.02; done'
  wait_for "the program" lines_of "$log" '^set$' 1
  end_keeper
  lines_of "$log" '^asked$' 1 || die "the program was not asked to end"
  lines_of "$log" '"message":"stopped",.*"code":0,' 1 || die "no word of the end"
  ! lines_of "$log" '"message":"ended"' 1 || die "an end that was asked for counts as a death"
  ! "$root/deploy/supervise" --nothing name "$log" true 2>/dev/null || die "an unknown option is taken"

  say "deploy/supervise: SIGTERM in a pause, and none left behind"
  rm -f "$log"
  "$root/deploy/supervise" --shortest 60000 rests "$log" false &
  keeper=$!
  wait_for "a death" lines_of "$log" '"message":"ended"' 1
  end_keeper

  say "deploy/supervise: files that stay within bounds"
  mkdir "$scratch/kept"
  touch "$scratch/kept/a-"{1..9} "$scratch/kept/b"
  supervised --log-bytes 2000 --keep 3 "$scratch/kept/a-*" talks "$log" \
    bash -c 'printf "%0500d\n" 1 2 3; exit 1'
  wait_for "a second log" test -s "$log.1"
  end_keeper
  [ "$(stat -c %s "$log.1")" -le 2000 ] || die "$log.1 is too long"
  [ "$(stat -c %s "$log")" -le 8000 ] || die "$log is too long"
  same "the kept files" "a-7 a-8 a-9 b" "$(cd "$scratch/kept" && echo *)"
}
