#!/usr/bin/env bash
# tests/web/test_http.sh - what curl gets: every answer, and every refusal.
set -u
# shellcheck source=tests/web/page.sh
. tests/web/page.sh

token="correct horse"
start_daemon --token "$token"

# status STATUS CURL-ARGUMENT…
status()
{
    local expected=$1 got
    shift
    got=$(curl -sg -m 20 -o "$folder/body" -D "$folder/head" -w '%{http_code}' "$@")
    [ "$got" = "$expected" ] || { echo "  $got instead of $expected"; return 1; }
}

answers()
{
    check "$*" status "$@"
}

# pid_of NAME
pid_of()
{
    curl -s "$url/tree.json" | jq -er --arg name "$1" '.nodes[] | select(.name == $name) | .pid[1:-1]'
}

# node NAME FILTER: jq's, on that node
node()
{
    curl -s "$url/tree.json" | jq -e --arg name "$1" ".nodes[] | select(.name == \$name) | $2" > "$folder/node"
}

head_has()
{
    tr -d '\r' < "$folder/head" | grep -qix "$1"
}

said_times()
{
    [ "$(grep -c "$2" "$said")" -eq "$1" ]
}

bearer="Authorization: Bearer $token"

# What there is.
for path in / /page.js /tree.js /page.css /icon.svg /tree.json /metrics; do
    answers 200 "$url$path"
    answers 200 -I "$url$path"
    check "$path allows nothing from elsewhere" head_has "content-security-policy: default-src 'none';.*"
    check "$path is what it says" head_has "x-content-type-options: nosniff"
done
check "metrics are of that type" status 200 "$url/metrics"
check "as Prometheus asks" head_has "content-type: text/plain; version=0.0.4; charset=utf-8"
answers 200 "${url/127.0.0.1/localhost}/"
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    answers 200 "${url/127.0.0.1/[::1]}/"
fi

# What is refused.
answers 404 "$url/nothing"
answers 404 "$url/../../etc/passwd" --path-as-is
answers 404 "$url/processes/1.1/explode" -X POST -H "$bearer"
answers 404 "$url/processes/x/crash" -X POST -H "$bearer"
answers 404 "$url/processes/99999999999999999999.1/crash" -X POST -H "$bearer"
answers 404 "$url/processes/9999.1/crash" -X POST -H "$bearer"
answers 405 "$url/" -X POST
check "405 says what is allowed" head_has "allow: GET, HEAD"
answers 405 "$url/metrics" -X DELETE
answers 405 "$url/processes/1.1/crash" -H "$bearer"
check "405 says what is allowed" head_has "allow: POST"
answers 413 "$url/" -X GET -d "a body"
answers 413 "$url/processes/1.1/crash" -H "$bearer" -d "a body"
answers 413 "$url/processes/1.1/crash" -H "$bearer" -H "Transfer-Encoding: chunked" -d "a body"
answers 431 "$url/" -H "X-Long: $(printf '%20000s' x)"
answers 414 "$url/$(printf '%20000s' x | tr ' ' x)"
answers 421 "$url/" -H "Host: evil.example"
answers 421 "$url/" -H "Host: 127.0.0.1.evil.example"
answers 421 "$url/metrics" -H "Host: evil.example:80"
answers 400 "$url/" -H "Host:"
answers 403 "$url/tree.json" -H "Origin: http://evil.example"
answers 403 "$url/tree.json" -H "Origin: null"
answers 403 "$url/processes/1.1/crash" -X POST -H "$bearer" -H "Origin: http://localhost:1"
answers 401 "$url/processes/1.1/crash" -X POST
check "401 says what is wanted" head_has "www-authenticate: Bearer"
answers 401 "$url/processes/1.1/crash" -X POST -H "Authorization: Bearer wrong"
answers 401 "$url/processes/1.1/crash" -X POST -H "Authorization: Bearer"
answers 401 "$url/processes/1.1/crash" -X POST -H "Authorization: Bearer ${token}x"
answers 401 "$url/processes/1.1/crash" -X POST -H "Authorization: Basic ${token}"
answers 401 "$url/processes/1.1/crash?token=${token// /+}" -X POST

# What is refused is said once, not each time.
for _ in 1 2 3 4 5; do
    status 404 "$url/nothing" || failed=$((failed + 1))
done
check "a refusal is logged once" said_times 1 "there is nothing here"
check "a wrong token is logged once" said_times 1 "that is not the token"
check "what was sent is not logged" said_times 0 "evil.example"

# What the token allows.
act()
{
    status 202 -X POST -H "$bearer" "$url/processes/$(pid_of "$1")/$2"
}

before=$(pid_of clumsy)
check "crash is accepted" act clumsy crash
other()
{
    local now
    now=$(pid_of clumsy) && [ "$now" != "$before" ]
}
check "and it is restarted" eventually other
check "and counted" eventually node clumsy '.restarts > 0'
check "and its outcome is told" eventually sh -c \
    "curl -s $url/tree.json | jq -e '.outcomes[0] | .action == \"crash\" and .code == 0'" > /dev/null
check "a page that has the same origin may, too" status 202 -X POST -H "$bearer" -H "Origin: $url" \
    "$url/processes/$(pid_of clumsy)/crash"
eventually node till '.state == "waiting"'
check "suspend is accepted" act till suspend
check "and it is suspended" eventually node till '.state == "suspended"'
check "resume is accepted" act till resume
check "and it goes on" eventually node till '.state != "suspended"'
before=$(pid_of till)
check "stop is accepted" act till stop
check "and it is started again, being permanent" eventually node till ".pid != \"<$before>\""

# What is stuck is shown as stuck, and can be got rid of.
check "who is stuck is seen" eventually node stuck '.state == "stuck" and .mailbox > 0'
before=$(pid_of stuck)
check "suspending him is accepted" act stuck suspend
check "and fails in the end" eventually sh -c \
    "curl -s $url/tree.json | jq -e '.outcomes[] | select(.action == \"suspend\" and .code != 0)'" > /dev/null
check "the page has not waited for him" status 200 "$url/"

# Markup in a name is a string.
check "a name that is markup is escaped" sh -c \
    "curl -s $url/tree.json | grep -q '\"\\\\u003cscript\\\\u003ealert(1)\\\\u003c/script\\\\u003e\"'"
check "and is the name" pid_of "<script>alert(1)</script>" > /dev/null

# The last events.
check "events are told" sh -c "curl -s $url/processes/$(pid_of till)/events | jq -e '.events | type == \"array\"'" > /dev/null

# The end, with a connection that is held open.
exec 5<> "/dev/tcp/127.0.0.1/${url##*:}"
kill -TERM "$daemon"
wait "$daemon"
ended=$?
daemon=
check "it stops in order" [ "$ended" -eq 0 ]

# Without a token.
start_daemon
answers 403 "$url/processes/1.1/crash" -X POST -H "$bearer"
answers 403 "$url/processes/1.1/crash" -X POST -H "Authorization: Bearer "
check "and the page is told" sh -c "curl -s $url/tree.json | jq -e '.allows_actions == false'" > /dev/null

# A port that somebody has.
check "a port that is taken is said" sh -c "! timeout 20 $build/web-daemon --port ${url##*:} > /dev/null 2> $folder/taken"
check "with the port" grep -q "the page cannot listen on port ${url##*:}" "$folder/taken"

finish
