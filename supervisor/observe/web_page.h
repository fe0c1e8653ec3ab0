/*
 * supervisor/observe/web_page.h - the page's own files.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_PAGE_H
#define COPI_SUPERVISOR_OBSERVE_WEB_PAGE_H

#include <coppice/base.h>

struct copi_web_file {
    const char *path, *type;
    cop_bytes content;
};

/* NULL: there is none at that path. */
const struct copi_web_file *copi_web_file(const char *path);

#endif
