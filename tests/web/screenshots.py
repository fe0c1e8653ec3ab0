#!/usr/bin/env -S python3 -B
"""tests/web/screenshots.py - the README's picture of the page, drawn by a real browser.

usage: tests/web/screenshots.py FILE.png
"""

import sys

import daemon
from webdriver import Browser

shop = daemon.Daemon("--cells", "60", "--token", "let me in")
with Browser(width=1500, height=860) as page:
    page.open(f"{shop.url}#token=let%20me%20in")
    page.until("the tree", "return document.querySelector(arguments[0])", "[data-key$='/stuck']")
    page.click("[role=treeitem][data-key$='/stuck']")
    page.until("a good moment", "return document.querySelector(\"[data-key$='/stuck']\")?.dataset.state === 'stuck'"
               " && document.querySelector(\"[data-key$='/clumsy']\")?.dataset.state === 'restarted'")
    page.run("document.activeElement.blur()")
    page.picture(sys.argv[1])
shop.end()
