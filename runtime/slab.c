/*
 * runtime/slab.c - slabs: the memory that messages are cut from.
 *
 * Room: runtime/. Any thread: regions, and all in them, under the lock.
 * Touch freely: the size of a region. Ask first: where its record lies.
 *
 * malloc has no good place for what is aligned to 64 KiB: its own header costs each slab a page beside it,
 * and a slab that is freed leaves a hole in an arena, whose pages stay resident. So slabs are parts of regions
 * of 2 MiB, that are mapped for them. The pages of a slab that was given back are the system's again at
 * once, and the region is when all of its slabs are back.
 *
 * Regions are of two sorts. In an ordinary one pages are made one by one as they are touched, so that a
 * thread that sends little has little: two pages. That is slow where memory is written for the first time and
 * there is much of it, as in a backlog that grows: 25 ns for the 64 bytes of a message. A region for who
 * takes much is asked for in huge pages, of which the kernel makes one at the first touch, whole: 6 ns. Where
 * the system does not give any (transparent_hugepage is `never`, or memory is in pieces), it is as an
 * ordinary one. What was given back of it comes again in small pages, until the kernel puts it together.
 *
 * The record lies just before the slabs, in the same mapping, so that a region either is there or is not. A
 * mapping has twice the size, since the system aligns it to a page only; what is left over is never touched.
 */
#include "runtime/slab.h"

#include "runtime/alloc.h"
#include "runtime/thread.h"

#include <ck_queue.h>

#include <stdint.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
# include <sanitizer/lsan_interface.h>
# define IS_SEEN(at, size)   __lsan_register_root_region((at), (size)) /* bodies are found by it */
# define IS_UNSEEN(at, size) __lsan_unregister_root_region((at), (size))
#else
# define IS_SEEN(at, size)   ((void)0)
# define IS_UNSEEN(at, size) ((void)0)
#endif

#define REGION_SIZE  ((size_t)2 * 1024 * 1024) /* a huge page */
#define MAPPING_SIZE (2 * REGION_SIZE)
#define ALL          UINT32_MAX
_Static_assert(REGION_SIZE / COPI_SLAB_SIZE == 32, "a bit for each slab");

struct copi_region {
    CK_LIST_ENTRY(copi_region) entry; /* while it has spare slabs */
    void *mapping;
    uint32_t spare; /* a bit for each slab that nobody has */
    bool in_bulk;
};

static struct {
    copi_lock lock;
    CK_LIST_HEAD(copi_regions, copi_region) with_spare[2]; /* ordinary, in bulk */
    size_t taken;
} regions = {.lock = COPI_LOCK_INIT};

static char *
slabs_of(struct copi_region *region)
{
    return (char *)(region + 1);
}

static struct copi_region *
map_region(bool in_bulk)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg ; without a file it has to be -1 */
    char *mapping = mmap(NULL, MAPPING_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapping == MAP_FAILED) {
        return NULL;
    }
    char *slabs = mapping + REGION_SIZE - (uintptr_t)mapping % REGION_SIZE;
    madvise(mapping, MAPPING_SIZE, MADV_NOHUGEPAGE); /* where they are given unasked */
    if (in_bulk) {
        madvise(slabs, REGION_SIZE, MADV_HUGEPAGE); /* or not */
    }
    IS_SEEN(slabs, REGION_SIZE);
    struct copi_region *region = (struct copi_region *)(void *)slabs - 1;
    *region = (struct copi_region){.mapping = mapping, .spare = ALL, .in_bulk = in_bulk};
    CK_LIST_INSERT_HEAD(&regions.with_spare[in_bulk], region, entry);
    return region;
}

static void
unmap_region(struct copi_region *region)
{
    CK_LIST_REMOVE(region, entry);
    IS_UNSEEN(slabs_of(region), REGION_SIZE);
    munmap(region->mapping, MAPPING_SIZE);
}

static struct copi_region *
region_with_spare(bool in_bulk)
{
    struct copi_region *region = CK_LIST_FIRST(&regions.with_spare[in_bulk]);
    return region ? region : map_region(in_bulk);
}

static void *
take_from(struct copi_region *region)
{
    unsigned slab = (unsigned)__builtin_ctz(region->spare);
    region->spare &= region->spare - 1;
    if (region->spare == 0) {
        CK_LIST_REMOVE(region, entry);
    }
    return slabs_of(region) + (size_t)slab * COPI_SLAB_SIZE;
}

void *
copi_slab_take(bool in_bulk, struct copi_region **of)
{
    if (!copi_alloc_may()) {
        return NULL;
    }
    copi_lock_take(&regions.lock);
    struct copi_region *region = region_with_spare(in_bulk);
    void *slab = region ? take_from(region) : NULL;
    regions.taken += slab != NULL;
    copi_lock_give(&regions.lock);
    *of = region;
    return slab;
}

static void
give_to(struct copi_region *region, char *slab)
{
    if (region->spare == 0) {
        CK_LIST_INSERT_HEAD(&regions.with_spare[region->in_bulk], region, entry);
    }
    region->spare |= 1u << ((size_t)(slab - slabs_of(region)) / COPI_SLAB_SIZE);
    if (region->spare == ALL) {
        unmap_region(region);
    } else {
        madvise(slab, COPI_SLAB_SIZE, MADV_DONTNEED);
    }
}

void
copi_slab_give(struct copi_region *of, void *slab)
{
    copi_lock_take(&regions.lock);
    give_to(of, slab);
    regions.taken--;
    copi_lock_give(&regions.lock);
}

size_t
copi_slabs_taken(void)
{
    copi_lock_take(&regions.lock);
    size_t taken = regions.taken;
    copi_lock_give(&regions.lock);
    return taken;
}
