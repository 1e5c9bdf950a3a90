# Sourced by up: a few calls and what they answer at this moment.
# shellcheck shell=bash disable=SC2154

# show COMMAND: prints a command as one could type it, and the beginning of its
# answer.
show() {
  local answer
  printf '\n$ %s\n' "$1"
  answer=$(cd "$root" && bash -c "$1" 2>&1) || true
  head -n 20 <<<"${answer:0:1000}"
  [ "$(head -n 20 <<<"${answer:0:1000}")" = "$answer" ] ||
    printf '  ... (%s characters in all)\n' ${#answer}
}

tour() {
  local buf='node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge'
  local grpc http example
  grpc=http://$(address gateway grpc)
  http=http://$(address gateway http)
  example='{"displayName": "Example Organization", "kind": "STANDARDS_BODY"}'
  say "to try, in $root"
  show "$buf $grpc/transparency.gateway.v1.GatewayService/GetOverview"
  show "curl -s '$http/gateway/v1/search?query=euleros'"
  show "curl -s '$http/gateway/v1/timeline?fromDate=2019-01-01&untilDate=2019-12-31&pageSize=2'"
  show "$buf -d '{\"page_size\": 1}' $grpc/transparency.certification.v1.CertificationService/ListCertificates"
  show "curl -s '$http/standards/v1/organizations?pageSize=2'"
  show "curl -s '$http/centre/v1/centres/unknown'"
  show "curl -s -H 'Content-Type: application/json' -d '$example' '$http/standards/v1/organizations?validateOnly=true'"
  show "curl -s -H \"Authorization: Bearer \$(cat $state/dev-token)\" -H 'Content-Type: application/json' -d '$example' '$http/standards/v1/organizations?validateOnly=true'"
  if command -v grpcurl >/dev/null; then
    show "grpcurl -plaintext $(address gateway grpc) list"
  fi
  printf '\n%s\n' "The token in $state/dev-token is a member of staff; deploy/token makes others, deploy/down stops everything."
}

tour
