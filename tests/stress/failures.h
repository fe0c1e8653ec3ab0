/*
 * tests/stress/failures.h - what is tried while something fails, and how it says what it has seen.
 *
 * Room: tests/. Uses the library as anybody would.
 *
 * A scenario may meet an error in every call: then it goes on without, or ends. It may meet no silence: what
 * was accepted arrives, who asks is answered, what was stopped has ended.
 */
#ifndef COPI_TESTS_STRESS_FAILURES_H
#define COPI_TESTS_STRESS_FAILURES_H

#include <coppice.h>

struct scenario {
    const char *name;
    void (*run)(void); /* in a thread that the library did not start */
    bool is_recorded;  /* with a flight recorder */
};
extern const struct scenario runtime_scenarios[], actor_scenarios[], supervisor_scenarios[],
    outside_scenarios[]; /* up to one without a name */

/* For whatever is to come. */
#define PATIENCE COP_SEC(10)

/* Whether a call went well. An error is noted, and is as good; but that nothing comes at all is not. */
bool went_well(int r);

/* The same of what is {0} when it fails. */
bool is_there(uint64_t id);

/* A promise is broken unless it holds. */
#define MUST(condition) must((condition), #condition)
void must(bool holds, const char *what);

/* Wait until it holds. */
#define MUST_BECOME(condition)                 \
 do {                                          \
  cop_time until_ = cop_now() + PATIENCE;      \
  while (!(condition) && cop_now() < until_) { \
   pause_a_little();                           \
  }                                            \
  MUST(condition);                             \
 } while (0)
void pause_a_little(void);

/* Do it until it goes well. A shortage that lasts ends before somebody waits for ever. */
#define INSIST(call)                                 \
 do {                                                \
  for (int tries_ = 0; !went_well(call); tries_++) { \
   try_again(tries_);                                \
  }                                                  \
 } while (0)
void try_again(int tries);

/* Wait for the end of a process, if it is one and can be watched. */
void await_end(cop_pid pid);

/* A server that keeps a sum: it answers with what it is after the addition of the request's int. */
enum {
    ADD = 1,
    ADD_LATER, /* a cast */
    FAIL,      /* a cast */
};
extern const cop_genserver adder;

/* Add to it; *sum is what it has acknowledged. */
void add_some(cop_pid server, int *sum);

#endif
