/*
 * tests/fuzz/replay.c - drives a fuzz_NAME.c over files, where there is no libFuzzer.
 *
 *   usage: fuzz_NAME FILE …
 *
 * Room: tests/. Ends with status 0 if each was read and what must hold held.
 */
#include "tests/fuzz/fuzz.h"

static int
replay(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = 0, capacity = 0;
    uint8_t *bytes = NULL;
    do {
        capacity = capacity ? 2 * capacity : 4096;
        uint8_t *more = realloc(bytes, capacity);
        HOLDS(more);
        bytes = more;
        size += fread(bytes + size, 1, capacity - size, file);
    } while (size == capacity);
    (void)fclose(file);
    uint8_t *exact = copy_of(bytes, size);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int
main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc && !failed; i++) {
        failed = replay(argv[i]);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
