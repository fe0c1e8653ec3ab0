/*
 * runtime/atomic.h - the few atomic operations that the lock-free parts use.
 *
 * Room: runtime/. Knows nobody. Any thread.
 * Touch freely: nothing. Ask first: everything; each caller names the operation it pairs with.
 *
 * Two variants of the same names. Release builds use Concurrency Kit's primitives. With
 * COPI_C11_ATOMICS they are C11 atomics, because a sanitizer or a model checker cannot see through
 * libck's inline assembly; the same tests run on both. The C11 variant asks for exactly the orders
 * that the names promise, so that a missing one shows.
 *
 * Words are 64 or 32 bits, or pointers. `relaxed` promises the value and nothing else; `acquire`
 * and `release` pair with each other; the exchanging operations are full barriers.
 */
#ifndef COPI_RUNTIME_ATOMIC_H
#define COPI_RUNTIME_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef COPI_C11_ATOMICS

# include <stdatomic.h>

typedef _Atomic(uint64_t) copi_atomic64;
typedef _Atomic(uint32_t) copi_atomic32;
typedef _Atomic(void *) copi_atomic_ptr;

# define COPI_LOAD(suffix, type, word)                         \
  static inline type copi_load_relaxed##suffix(const word *at) \
  {                                                            \
   return atomic_load_explicit(at, memory_order_relaxed);      \
  }                                                            \
  static inline type copi_load_acquire##suffix(const word *at) \
  {                                                            \
   return atomic_load_explicit(at, memory_order_acquire);      \
  }
# define COPI_STORE(suffix, type, word)                               \
  static inline void copi_store_relaxed##suffix(word *at, type value) \
  {                                                                   \
   atomic_store_explicit(at, value, memory_order_relaxed);            \
  }                                                                   \
  static inline void copi_store_release##suffix(word *at, type value) \
  {                                                                   \
   atomic_store_explicit(at, value, memory_order_release);            \
  }
# define COPI_EXCHANGE(suffix, type, word)                                                   \
  static inline type copi_exchange##suffix(word *at, type value)                             \
  {                                                                                          \
   return atomic_exchange_explicit(at, value, memory_order_seq_cst);                         \
  }                                                                                          \
  static inline bool copi_cas##suffix(word *at, type *expected, type value)                  \
  {                                                                                          \
   return atomic_compare_exchange_strong_explicit(at, expected, value, memory_order_seq_cst, \
                                                  memory_order_relaxed);                     \
  }
# define COPI_ADD(suffix, type, word)                                 \
  static inline type copi_fetch_add##suffix(word *at, type delta)     \
  {                                                                   \
   return atomic_fetch_add_explicit(at, delta, memory_order_seq_cst); \
  }

static inline void
copi_spin_hint(void)
{
# if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
# elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
# endif
}

#else

# include <ck_pr.h>

typedef uint64_t copi_atomic64;
typedef uint32_t copi_atomic32;
typedef void *copi_atomic_ptr;

/* ck_pr's loads and stores are not ordered; its exchanging operations are full barriers on x86 only,
 * so they stand between fences, which are compiler barriers there. */
# define COPI_LOAD(suffix, type, word)                         \
  static inline type copi_load_relaxed##suffix(const word *at) \
  {                                                            \
   return COPI_CK(load, suffix)(at);                           \
  }                                                            \
  static inline type copi_load_acquire##suffix(const word *at) \
  {                                                            \
   type value = COPI_CK(load, suffix)(at);                     \
   ck_pr_fence_acquire();                                      \
   return value;                                               \
  }
# define COPI_STORE(suffix, type, word)                               \
  static inline void copi_store_relaxed##suffix(word *at, type value) \
  {                                                                   \
   COPI_CK(store, suffix)(at, value);                                 \
  }                                                                   \
  static inline void copi_store_release##suffix(word *at, type value) \
  {                                                                   \
   ck_pr_fence_release();                                             \
   COPI_CK(store, suffix)(at, value);                                 \
  }
# define COPI_EXCHANGE(suffix, type, word)                                  \
  static inline type copi_exchange##suffix(word *at, type value)            \
  {                                                                         \
   ck_pr_fence_atomic();                                                    \
   ck_pr_fence_release();                                                   \
   type old = COPI_CK(fas, suffix)(at, value);                              \
   ck_pr_fence_acquire();                                                   \
   ck_pr_fence_atomic_load();                                               \
   return old;                                                              \
  }                                                                         \
  static inline bool copi_cas##suffix(word *at, type *expected, type value) \
  {                                                                         \
   ck_pr_fence_release();                                                   \
   bool done = COPI_CK_CAS(suffix)(at, *expected, value, expected);         \
   ck_pr_fence_acquire();                                                   \
   ck_pr_fence_atomic_load();                                               \
   return done;                                                             \
  }
# define COPI_ADD(suffix, type, word)                             \
  static inline type copi_fetch_add##suffix(word *at, type delta) \
  {                                                               \
   ck_pr_fence_release();                                         \
   type old = COPI_CK(faa, suffix)(at, delta);                    \
   ck_pr_fence_acquire();                                         \
   ck_pr_fence_atomic_load();                                     \
   return old;                                                    \
  }

# define COPI_CK(operation, suffix) ck_pr_##operation##suffix
# define COPI_CK_CAS(suffix)        ck_pr_cas##suffix##_value

static inline void
copi_spin_hint(void)
{
    ck_pr_stall();
}

#endif

/* This line will be written soon: have it here by then. A hint; any address will do. */
static inline void
copi_prefetch_to_write(const void *at)
{
#if defined(__x86_64__)
    __asm__ __volatile__(
        "prefetchw %0" ::"m"(*(const char *)at)); /* what the builtin is without it */
#else
    __builtin_prefetch(at, 1);
#endif
}

COPI_LOAD(_64, uint64_t, copi_atomic64)
COPI_STORE(_64, uint64_t, copi_atomic64)
COPI_EXCHANGE(_64, uint64_t, copi_atomic64)
COPI_ADD(_64, uint64_t, copi_atomic64)
COPI_LOAD(_32, uint32_t, copi_atomic32)
COPI_STORE(_32, uint32_t, copi_atomic32)
COPI_EXCHANGE(_32, uint32_t, copi_atomic32)
COPI_ADD(_32, uint32_t, copi_atomic32)
COPI_LOAD(_ptr, void *, copi_atomic_ptr)
COPI_STORE(_ptr, void *, copi_atomic_ptr)
COPI_EXCHANGE(_ptr, void *, copi_atomic_ptr)
#endif
