/*
 * supervisor/observe/web_events.c - the last events of a process as JSON.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 */
#include "supervisor/observe/web_events.h"

#include <coppice/recorder.h>

enum {
    LAST = 32,
    LONGEST = 256, /* of one in words */
};

static void
put_event(struct copi_json *json, const cop_record *record, cop_time now)
{
    char words[LONGEST];
    copi_json_open(json, NULL, '{');
    copi_json_number(json, "ago_ms", (now - record->when) / COP_MS(1));
    copi_json_string(json, "text", cop_record_string(record, words, sizeof words));
    copi_json_close(json, '}');
}

void
copi_web_events_put(struct copi_json *json, cop_pid pid)
{
    cop_record records[LAST];
    int count = cop_recorder_read(pid, records, LAST);
    cop_time now = cop_now();
    copi_json_boolean(json, "is_recorded", count != -EOPNOTSUPP);
    copi_json_open(json, "events", '[');
    for (int i = 0; i < count; i++) {
        put_event(json, &records[i], now);
    }
    copi_json_close(json, ']');
}
