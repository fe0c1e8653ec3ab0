/*
 * tests/conformance/request.h - what was asked and has to be answered; the answer may take long.
 */
#ifndef COPI_TESTS_CONFORMANCE_REQUEST_H
#define COPI_TESTS_CONFORMANCE_REQUEST_H

#include "tests/conformance/cast.h"

struct request;

/*
 * From here on an answer is owed.
 *
 *   target   the supervisor that is asked; NULL: the parent of the root, for the root's start
 */
struct request *request_open(const struct action *action, struct player *target);

/* Which process waits for the answer. The start of the root waits in no call while the gate is its own. */
void request_asked_by(struct request *request, cop_pid asker);

/* The answer; the text is taken. Any thread. */
void request_answer(struct request *request, char *answer);

/* Each one is answered; or the gate is closed, and it is waiting in a mailbox or is being served. With
 * the lock of cast.h held. */
bool requests_settled_locked(void);

/*
 * Print the answers that came, in the order of the questions, but not that to `action` itself: this is
 * returned, or `pending`. NULL: the action was no request. The caller frees it.
 */
char *requests_print(const struct action *action);

#endif
