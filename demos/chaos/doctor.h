/*
 * demos/chaos/doctor.h - who finds cells that hang.
 *
 * Room: demos/.
 */
#ifndef DEMOS_CHAOS_DOCTOR_H
#define DEMOS_CHAOS_DOCTOR_H

#include <coppice.h>

/* The doctor's function; its argument, a cop_time, is how long a callback may last. */
int doctor_run(cop_bytes arg);

#endif
