/*
 * demos/kv/glob.c - patterns for keys.
 *
 * Room: demos/. Pure. libc's fnmatch() stops at a zero byte, and takes exponential time for a
 * pattern such as "a*a*a*a*b": a stranger's pattern must not keep a bucket busy. When a star's
 * guess fails, only the newest star needs another, longer guess, so the time is at most the
 * product of the sizes.
 */
#include "demos/kv/glob.h"

struct cursor {
    const unsigned char *at, *end;
};

/* [abc], [a-z], [^a-z]; `p` is behind the bracket, and afterwards behind its end. One that never
 * closes reaches to the end of the pattern. */
static bool
matches_set(struct cursor *p, unsigned char c)
{
    bool negated = p->at < p->end && *p->at == '^', found = false;
    p->at += negated;
    while (p->at < p->end && *p->at != ']') {
        if (*p->at == '\\' && p->end - p->at >= 2) {
            p->at++;
        }
        unsigned char low = *p->at++, high = low;
        if (p->end - p->at >= 2 && *p->at == '-') {
            high = p->at[1];
            p->at += 2;
        }
        found |= low <= high ? low <= c && c <= high : high <= c && c <= low;
    }
    p->at += p->at < p->end;
    return found != negated;
}

/* Whether the pattern's next element, which is no star, matches `c`; afterwards `p` is behind
 * it. */
static bool
matches_one(struct cursor *p, unsigned char c)
{
    unsigned char element = *p->at++;
    if (element == '?') {
        return true;
    }
    if (element == '[') {
        return matches_set(p, c);
    }
    if (element == '\\' && p->at < p->end) {
        element = *p->at++;
    }
    return element == c;
}

bool
glob_matches(cop_bytes pattern, cop_bytes text)
{
    const unsigned char *first = pattern.data, *t = text.data;
    struct cursor p = {first, first + pattern.size}, star = {NULL, NULL};
    const unsigned char *end = t + text.size, *guess = NULL;

    while (t < end) {
        if (p.at < p.end && *p.at == '*') {
            p.at++;
            star = p;
            guess = t;
        } else if (p.at < p.end && matches_one(&p, *t)) {
            t++;
        } else if (star.at != NULL) {
            p = star;
            t = ++guess;
        } else {
            return false;
        }
    }
    while (p.at < p.end && *p.at == '*') {
        p.at++;
    }
    return p.at == p.end;
}
