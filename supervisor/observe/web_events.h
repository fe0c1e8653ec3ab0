/*
 * supervisor/observe/web_events.h - the last events of a process as JSON.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_EVENTS_H
#define COPI_SUPERVISOR_OBSERVE_WEB_EVENTS_H

#include "supervisor/observe/web_json.h"

#include <coppice/message.h>

/* The members of an object that is open. */
void copi_web_events_put(struct copi_json *json, cop_pid pid);

#endif
