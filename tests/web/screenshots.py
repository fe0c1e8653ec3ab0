#!/usr/bin/env -S python3 -B
"""tests/web/screenshots.py - the README's picture of the page, drawn by a real browser.

usage: tests/web/screenshots.py FILE.png
"""

import sys

import daemon
from webdriver import Browser

shop = daemon.Daemon("--cells", "60", "--token", "let me in")
with Browser(width=1400, height=960) as page:
    page.open(f"{shop.url}#token=let%20me%20in")
    page.until("the crash", "return document.querySelector(\"[data-key$='/clumsy']\")?.dataset.state === 'restarted'")
    page.click("[role=treeitem][data-key$='/stuck']")
    page.until("it is stuck", "return document.querySelector(\"[data-key$='/stuck']\")?.dataset.state === 'stuck'")
    page.run("document.activeElement.blur()")
    page.picture(sys.argv[1])
shop.end()
