#!/usr/bin/env bash
# tests/web/test_metrics.sh - what promtool says of the metrics, and Prometheus' own reading of them.
set -u
# shellcheck source=tests/web/page.sh
. tests/web/page.sh

start_daemon --cells 40

fetch()
{
    curl -sf -m 20 -o "$folder/metrics" "$url/metrics"
}

has()
{
    fetch && grep -Eqx "$1" "$folder/metrics"
}

# promtool says what it does not like on standard error, and what it thinks of names there, too.
no_complaint()
{
    fetch || return
    promtool check metrics < "$folder/metrics" > "$folder/complaints" 2>&1
    local status=$?
    cat "$folder/complaints"
    [ "$status" -eq 0 ] && [ ! -s "$folder/complaints" ]
}

check "promtool has nothing to complain of" no_complaint
check "it notices when there is something" sh -c \
    "! { cat $folder/metrics; echo 'no metric'; } | promtool check metrics > /dev/null 2>&1"

check "orders are counted" eventually has 'shop_orders_total\{till="one \\"big\\" till\\\\"\} [1-9][0-9]*'
check "orders are timed" eventually has 'shop_order_seconds_bucket\{le="0.005"\} [1-9][0-9]*'
check "restarts are counted" eventually has 'coppice_restarts_total [1-9][0-9]*'
check "restarts of a child are counted" eventually has \
    'coppice_child_restarts_total\{supervisor=".*/shop",child="clumsy"\} [1-9][0-9]*'
check "who is stuck is seen" eventually has 'coppice_actor_mailbox_messages\{actor="stuck"\} [1-9]'
check "and for how long" eventually has 'coppice_actor_callback_seconds\{actor="stuck"\} [1-9][0-9.]*'
check "an actor's name is a label's value" has 'coppice_actor_mailbox_messages\{actor="<script>alert\(1\)</script>"\} [0-9]+'
check "processes are counted" has 'coppice_processes [4-9][0-9]'
check "and objects" has 'coppice_live_objects\{kind="timers"\} [0-9]+'
for name in coppice_uptime_seconds coppice_mailbox_oldest_message_seconds process_resident_memory_bytes \
    process_cpu_seconds_total process_open_fds process_max_fds process_start_time_seconds; do
    check "$name is there" has "$name [0-9.]+"
done
check "memory is what the system says, about" sh -c "
    told=\$(sed -n 's/^process_resident_memory_bytes //p' $folder/metrics)
    kb=\$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$daemon/status)
    [ \$((told / 1024)) -gt \$((kb / 2)) ] && [ \$((told / 1024)) -lt \$((kb * 2)) ]"
check "still nothing to complain of" no_complaint

finish
