/*
 * supervisor/observe/web_page.c - the page's own files.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 *
 * They are files like others, in page/, and become arrays of bytes when the library is built (the
 * Makefile's rule for .bytes): so the page needs neither a folder at run time nor the network.
 */
#include "supervisor/observe/web_page.h"

static const unsigned char page_html[] = {
#include "supervisor/observe/page/page.html.bytes"
};
static const unsigned char page_css[] = {
#include "supervisor/observe/page/page.css.bytes"
};
static const unsigned char page_js[] = {
#include "supervisor/observe/page/page.js.bytes"
};
static const unsigned char tree_js[] = {
#include "supervisor/observe/page/tree.js.bytes"
};
static const unsigned char icon_svg[] = {
#include "supervisor/observe/page/icon.svg.bytes"
};

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"
#define SVG  "image/svg+xml"

static const struct copi_web_file files[] = {
    {"/", HTML, COP_BYTES_INIT(page_html)},       {"/page.css", CSS, COP_BYTES_INIT(page_css)},
    {"/page.js", JS, COP_BYTES_INIT(page_js)},    {"/tree.js", JS, COP_BYTES_INIT(tree_js)},
    {"/icon.svg", SVG, COP_BYTES_INIT(icon_svg)},
};

const struct copi_web_file *
copi_web_file(const char *path)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, path) == 0) {
            return &files[i];
        }
    }
    return NULL;
}
