/*
 * supervisor/strategy.h - what an end means: OTP's rules, as functions of what they depend on.
 *
 * Room: supervisor/. Decisions only. Any thread.
 */
#ifndef COPI_SUPERVISOR_STRATEGY_H
#define COPI_SUPERVISOR_STRATEGY_H

#include <coppice/reason.h>
#include <coppice/supervisor.h>

/* Whether a child that ended by itself is started again. `rule` is not COP_RESTART_DEFAULT. */
bool copi_is_restarted(cop_restart rule, const cop_reason *reason);

/* Whether its end is reported (child_terminated). */
bool copi_is_end_reported(cop_restart rule, const cop_reason *reason);

/*
 * Whether the supervisor's stopping it went as it should; if not, it is reported (shutdown_error). By
 * OTP's rules, and Elixir's where the strategy is its own.
 */
bool copi_is_stopped_as_asked(cop_strategy strategy, cop_restart rule, cop_time shutdown,
                              const cop_reason *reason);

/*
 * Whether the supervisor ends because a child did that is not started again. `others_left`: other
 * significant children run or are between two attempts.
 */
bool copi_is_auto_shutdown(cop_auto_shutdown mode, bool significant, bool others_left);

#endif
