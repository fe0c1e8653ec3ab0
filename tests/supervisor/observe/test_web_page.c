/*
 * tests/supervisor/observe/test_web_page.c - the page's own files.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_page.h"
#include "tests/support/support.h"

TEST(what_is_not_there_is_not_found)
{
    ck_assert_ptr_null(copi_web_file("/nothing"));
    ck_assert_ptr_null(copi_web_file(""));
    ck_assert_ptr_null(copi_web_file("/page.css/"));
}

TEST(files_are_as_they_were)
{
    static const char *const paths[] = {"/page.css", "/page.js", "/tree.js", "/icon.svg"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char path[128], bytes[1 << 16];
        (void)snprintf(path, sizeof path, "supervisor/observe/page%s", paths[i]);
        FILE *file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        size_t size = fread(bytes, 1, sizeof bytes, file);
        ck_assert_int_eq(fclose(file), 0);
        const struct copi_web_file *found = copi_web_file(paths[i]);
        ck_assert_ptr_nonnull(found);
        ck_assert_uint_eq(found->content.size, size);
        ck_assert_int_eq(memcmp(found->content.data, bytes, size), 0);
    }
}

TEST(the_page_begins_at_the_root)
{
    const struct copi_web_file *page = copi_web_file("/");
    ck_assert_str_eq(page->type, "text/html; charset=utf-8");
    ck_assert_int_eq(memcmp(page->content.data, "<!doctype html>", 15), 0);
}

SUITE("web_page")
