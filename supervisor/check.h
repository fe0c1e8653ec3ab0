/*
 * supervisor/check.h - what is a specification, and what is none.
 *
 * Room: supervisor/. Any thread.
 */
#ifndef COPI_SUPERVISOR_CHECK_H
#define COPI_SUPERVISOR_CHECK_H

#include <coppice/supervisor.h>

struct copi_child_spec;
struct copi_spec;

/*
 * What the user has written, all the way down; a child's alone may have no id.
 *
 * -EINVAL   it is none; cop_why() names the place in the tree and the field
 * -ENOMEM
 */
int copi_check_spec(const cop_supervisor_spec *spec);
int copi_check_child(const cop_child_spec *child);

/* Whether that supervisor may have this child: 0 or -EINVAL, with OTP's words. */
int copi_check_child_of(const struct copi_spec *spec, const struct copi_child_spec *child);

#endif
