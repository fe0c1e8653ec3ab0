/*
 * tests/fuzz/fuzz_glob.c - patterns for keys.
 *
 * Room: tests/. Linked with demos/kv/glob.c.
 *
 * A line with the pattern, then the text. What must hold is what follows from the meaning of `*`, `?` and `\`.
 */
#include "demos/kv/glob.h"
#include "tests/fuzz/fuzz.h"

#define MOST 256

static bool
matches(const char *pattern, size_t pattern_size, const char *text, size_t text_size)
{
    char *exact_pattern = copy_of(pattern, pattern_size), *exact_text = copy_of(text, text_size);
    bool does =
        glob_matches((cop_bytes){exact_pattern, pattern_size}, (cop_bytes){exact_text, text_size});
    free(exact_pattern);
    free(exact_text);
    return does;
}

/* Escaped it is a pattern of itself alone; as many question marks are one, too. */
static void
text_matches_itself(const char *text, size_t size)
{
    char escaped[2 * MOST], marks[MOST];
    for (size_t i = 0; i < size; i++) {
        escaped[2 * i] = '\\';
        escaped[2 * i + 1] = text[i];
        marks[i] = '?';
    }
    HOLDS(matches(escaped, 2 * size, text, size));
    HOLDS(matches(marks, size, text, size));
    HOLDS(size == 0 || !matches(escaped, 2 * size, text, size - 1));
    HOLDS(size == 0 || !matches(marks, size - 1, text, size));
}

/* What matches, matches with more before it once a star stands there. */
static void
star_matches_anything(const char *pattern, size_t pattern_size, const char *text, size_t text_size)
{
    char starred[MOST + 1], longer[MOST + 1];
    starred[0] = '*';
    memcpy(starred + 1, pattern, pattern_size);
    longer[0] = 'x';
    memcpy(longer + 1, text, text_size);
    HOLDS(matches(starred, pattern_size + 1, longer, text_size + 1));
    HOLDS(matches(starred, pattern_size + 1, text, text_size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *pattern = take_line(&input);
    size_t pattern_size = (size_t)(input.at - data);
    pattern_size -= pattern_size > 0 && data[pattern_size - 1] == '\n';
    pattern_size = pattern_size < MOST ? pattern_size : MOST;
    size_t text_size = input.size < MOST ? input.size : MOST;
    char *text = copy_of(input.at, text_size);
    text_matches_itself(text, text_size);
    if (matches(pattern, pattern_size, text, text_size)) {
        star_matches_anything(pattern, pattern_size, text, text_size);
    }
    free(pattern);
    free(text);
    return 0;
}
