/*
 * supervisor/view.c - a specification as a user would have written it, for an init to change.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: everything; test_view holds it against the specification that it was copied from.
 *
 * Texts, bytes and functions are the specification's own. Only what has another form in there is made:
 * lists of children, the words of commands, agents, and supervisors below. All of that is the process's
 * memory, since an init may end it.
 */
#include "supervisor/view.h"

#include "supervisor/spec.h"

#include <coppice/memory.h>

#include <stdlib.h>

struct copi_view_block {
    struct copi_view_block *next;
    _Alignas(16) char content[];
};

/* Zeroed. */
static void *
take(struct copi_view *view, size_t size)
{
    struct copi_view_block *block = cop_alloc(sizeof *block + size);
    if (!block) {
        return NULL;
    }
    block->next = view->blocks;
    view->blocks = block;
    return memset(block->content, 0, size);
}

static const char *
text_of(const char *text)
{
    return text[0] ? text : NULL;
}

static cop_bytes
bytes_of(const struct copi_owned *owned)
{
    return (cop_bytes){owned->data, owned->size};
}

/* ---------------------------------------------------------------- what a child is */

static const char *const *
words_of(struct copi_view *view, const struct copi_owned *words)
{
    const char *at = words->data, *end = at + words->size;
    size_t count = 0;
    for (size_t i = 0; i < words->size; i++) {
        count += at[i] == '\0';
    }
    const char **argv = take(view, (count + 1) * sizeof *argv);
    for (size_t i = 0; argv && at < end; i++, at += strlen(at) + 1) {
        argv[i] = at;
    }
    return argv;
}

static const cop_agent_spec *
agent_of(struct copi_view *view, const struct copi_child_spec *of)
{
    cop_agent_spec *agent = take(view, sizeof *agent);
    if (agent) {
        *agent = of->agent;
        agent->initial = bytes_of(&of->initial);
    }
    return agent;
}

static int show(struct copi_view *view, cop_supervisor_spec *out, const struct copi_spec *of);

static const cop_supervisor_spec *
supervisor_of(struct copi_view *view, const struct copi_spec *of)
{
    cop_supervisor_spec *spec = take(view, sizeof *spec);
    return spec && show(view, spec, of) == 0 ? spec : NULL;
}

static int
show_kind(struct copi_view *view, cop_child_spec *out, const struct copi_child_spec *of)
{
    switch (of->kind) {
    case COPI_CHILD_GENSERVER:
        out->genserver = of->genserver;
        break;
    case COPI_CHILD_STATEM:
        out->statem = of->statem;
        break;
    case COPI_CHILD_WORKER:
        out->worker = of->worker;
        break;
    case COPI_CHILD_START:
        out->start = of->start;
        break;
    case COPI_CHILD_SUPERVISOR:
        out->supervisor = supervisor_of(view, of->supervisor);
        return out->supervisor ? 0 : -ENOMEM;
    case COPI_CHILD_COMMAND:
        out->command = words_of(view, &of->words);
        return out->command ? 0 : -ENOMEM;
    case COPI_CHILD_AGENT:
        out->agent = agent_of(view, of);
        return out->agent ? 0 : -ENOMEM;
    }
    return 0;
}

/* ---------------------------------------------------------------- all of it */

static int
show_child(struct copi_view *view, cop_child_spec *out, const struct copi_child_spec *of)
{
    *out = (cop_child_spec){
        .id = text_of(of->id),
        .name = text_of(of->name),
        .via = of->via,
        .arg = bytes_of(&of->arg),
        .restart = of->restart,
        .shutdown = of->shutdown,
        .significant = of->significant,
        .supervises = of->supervises,
        .contain_faults = of->contain_faults,
        .mailbox = of->mailbox,
        .init_timeout = of->init_timeout,
        .stack_size = of->stack_size,
    };
    return show_kind(view, out, of);
}

static size_t
limit_of(size_t max_children)
{
    return max_children == SIZE_MAX ? 0 : max_children == 0 ? COP_NO_CHILDREN : max_children;
}

static int
show(struct copi_view *view, cop_supervisor_spec *out, const struct copi_spec *of)
{
    cop_child_spec *children = take(view, of->child_count * sizeof *children);
    int r = children ? 0 : -ENOMEM;
    for (size_t i = 0; i < of->child_count && r == 0; i++) {
        r = show_child(view, &children[i], &of->children[i]);
    }
    *out = (cop_supervisor_spec){
        .name = text_of(of->name),
        .via = of->via,
        .strategy = of->strategy,
        .children = children,
        .child_count = of->child_count,
        .max_restarts = of->max_restarts,
        .max_seconds = (unsigned)(of->period / COP_SEC(1)),
        .auto_shutdown = of->auto_shutdown,
        .backoff_min = of->backoff.min,
        .backoff_max = of->backoff.max,
        .give_up = of->give_up,
        .max_children = limit_of(of->max_children),
        .extra = bytes_of(&of->extra),
        .init = of->init,
        .arg = bytes_of(&of->arg),
    };
    return r;
}

int
copi_view_make(struct copi_view *view, const struct copi_spec *of)
{
    *view = (struct copi_view){0};
    int r = show(view, &view->spec, of);
    if (r) {
        copi_view_clear(view);
    }
    return r;
}

void
copi_view_clear(struct copi_view *view)
{
    struct copi_view_block *next;
    for (struct copi_view_block *block = view->blocks; block; block = next) {
        next = block->next;
        cop_free(block);
    }
    *view = (struct copi_view){0};
}
