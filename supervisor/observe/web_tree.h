/*
 * supervisor/observe/web_tree.h - the picture of the tree as JSON, for the page to draw.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_TREE_H
#define COPI_SUPERVISOR_OBSERVE_WEB_TREE_H

#include "supervisor/observe/web_json.h"

#include <coppice/observe.h>

/* "waiting", "running", "stuck" or "suspended". */
const char *copi_web_state(const cop_process_info *info, cop_time now, cop_time stuck_after);

/* The members of an object that is open. */
void copi_web_tree_put(struct copi_json *json, const cop_picture *picture, cop_time stuck_after);

#endif
