/*
 * supervisor/strategy.c - what an end means.
 *
 * Room: supervisor/. Decisions only: no processes, no memory, so that a test can ask for every
 * combination.
 * Touch freely: nothing. Ask first: everything; each line is OTP's.
 */
#include "supervisor/strategy.h"

#include <string.h>

bool
copi_is_restarted(cop_restart rule, const cop_reason *reason)
{
    switch (rule) {
    case COP_RESTART_DEFAULT:
    case COP_PERMANENT:
        return true;
    case COP_TRANSIENT:
        return cop_is_crash(*reason);
    case COP_TEMPORARY:
        break;
    }
    return false;
}

bool
copi_is_end_reported(cop_restart rule, const cop_reason *reason)
{
    return rule == COP_PERMANENT || cop_is_crash(*reason);
}

/* `shutdown`, and not {shutdown,Something}. */
static bool
is_plain_shutdown(const cop_reason *reason)
{
    return reason->kind == COP_SHUTDOWN
           && (reason->text[0] == '\0' || strcmp(reason->text, "shutdown") == 0);
}

static bool
is_stopped_as_asked_in_elixir(cop_restart rule, cop_time shutdown, const cop_reason *reason)
{
    if (shutdown == COP_BRUTAL_KILL) {
        return reason->kind == COP_KILLED;
    }
    return reason->kind == COP_SHUTDOWN || (reason->kind == COP_NORMAL && rule != COP_PERMANENT);
}

bool
copi_is_stopped_as_asked(cop_strategy strategy, cop_restart rule, cop_time shutdown,
                         const cop_reason *reason)
{
    if (strategy == COP_DYNAMIC) {
        return is_stopped_as_asked_in_elixir(rule, shutdown, reason);
    }
    bool as_asked =
        shutdown == COP_BRUTAL_KILL ? reason->kind == COP_KILLED : is_plain_shutdown(reason);
    return as_asked || (rule != COP_PERMANENT && !cop_is_crash(*reason));
}

bool
copi_is_auto_shutdown(cop_auto_shutdown mode, bool significant, bool others_left)
{
    switch (mode) {
    case COP_ANY_SIGNIFICANT:
        return significant;
    case COP_ALL_SIGNIFICANT:
        return significant && !others_left;
    case COP_NEVER:
        break;
    }
    return false;
}
