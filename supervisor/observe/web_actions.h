/*
 * supervisor/observe/web_actions.h - what is done to a process because somebody has asked for it.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread, but for the action itself.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_ACTIONS_H
#define COPI_SUPERVISOR_OBSERVE_WEB_ACTIONS_H

#include "supervisor/observe/web_json.h"

#include <coppice.h>

enum {
    COPI_WEB_OUTCOMES = 16, /* that are remembered */
    COPI_WEB_AT_ONCE = 8,   /* actions that may run */
};

#define COPI_WEB_OUTCOME 0x636f7001u /* struct copi_web_outcome, to the server */

struct copi_web_outcome {
    cop_pid pid;
    cop_time when;
    int code;
    char word[16], name[64], text[160]; /* which action; on whom, by then; what came of it */
};

struct copi_web_actions {
    struct copi_web_outcome outcomes[COPI_WEB_OUTCOMES]; /* a ring */
    uint64_t count;                                      /* that there were */
    cop_ref running[COPI_WEB_AT_ONCE];                   /* monitors; 0: free */
};

/* Whether there is such an action. */
bool copi_web_is_action(const char *word);

/*
 * Begin one; its outcome comes as a message.
 *
 * -EBUSY   as many run as may
 * -ESRCH   no such process
 * others   as cop_spawn
 */
int copi_web_action_begin(struct copi_web_actions *actions, const char *word, cop_pid pid);

/* A message that may be about one: whether it was. */
bool copi_web_action_told(struct copi_web_actions *actions, cop_msg msg);

/* "outcomes": the newest first. */
void copi_web_outcomes_put(struct copi_json *json, const struct copi_web_actions *actions);

#endif
