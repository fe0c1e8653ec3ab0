#!/usr/bin/env -S python3 -B
"""tests/web/test_page.py - the page in a real browser: it is opened, a node crashed, its restart seen on it.

Standard output has a line for each test that failed, and the sum.
"""

import re
import sys

import daemon
from webdriver import Browser

TOKEN = "let me in"
ITEM = "[role=treeitem][data-key$='/{}']"
tests = []


def test(function):
    tests.append(function)
    return function


def item(name):
    return ITEM.format(name)


LABEL = "return document.querySelector(arguments[0])?.getAttribute('aria-label')"


def label(page, name):
    return page.until(f"{name} is drawn", LABEL, item(name))


def until_label(page, name, expected):
    page.until(f"{name}: {expected}",
               "return document.querySelector(arguments[0])?.getAttribute('aria-label').match(arguments[1])",
               item(name), expected)


def open_page(page, victim, hash_=""):
    page.open("about:blank")
    page.open(victim.url + hash_)
    label(page, "shop")


def focused(page):
    return page.run("return document.activeElement.dataset.key ?? document.activeElement.id")


@test
def the_tree_is_drawn_and_nothing_is_complained_of(page, victim):
    open_page(page, victim)
    for name in ("shop", "till", "clumsy", "stuck", "farm", "web"):
        assert label(page, name).startswith(name), label(page, name)
    assert page.text("#program") == "web-daemon"
    assert page.text("h1") != ""
    assert page.complaints() == []


@test
def nothing_comes_from_elsewhere(page, victim):
    open_page(page, victim)
    names = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert names and all(name.startswith(victim.url) for name in names), names


@test
def a_name_that_is_markup_is_text(page, victim):
    open_page(page, victim)
    key = page.until("it is drawn", "return [...document.querySelectorAll('[role=treeitem]')]"
                     ".find((one) => one.getAttribute('aria-label').startsWith('<script>alert(1)</script>'))?.dataset.key")
    assert page.run("return document.querySelectorAll('svg script').length") == 0
    page.run("document.querySelector(`[data-key=\"${CSS.escape(arguments[0])}\"]`)"
             ".dispatchEvent(new MouseEvent('click', { bubbles: true }))", key)
    page.until("its details", "return document.getElementById('details-name').textContent === '<script>alert(1)</script>'")
    assert page.run("return document.querySelectorAll('#details script').length") == 0
    assert page.complaints() == []


@test
def a_script_in_the_page_would_not_run(page, victim):
    open_page(page, victim)
    page.run("window.ran = false; const script = document.createElement('script');"
             "script.textContent = 'window.ran = true'; document.body.append(script);")
    assert page.run("return window.ran") is False
    assert any("Content Security Policy" in words for words in page.complaints())


@test
def without_the_token_nothing_is_done(page, victim):
    open_page(page, victim)
    page.click(item("till"))
    before = label(page, "till")
    page.type("#token", "wrong")
    page.click("[data-action=stop]")
    page.until("it is said", "return document.getElementById('news').textContent.includes('that is not the token')")
    assert focused(page) == "token"
    assert "restarted" not in before and "restarted" not in label(page, "till")
    page.complaints()  # the browser's own word on the 401


RESTARTS = "return Number(document.querySelector(arguments[0])?.dataset.restarts ?? -1)"


@test
def a_node_is_crashed_by_its_button_and_its_restart_is_seen(page, victim):
    open_page(page, victim)
    before = page.run(RESTARTS, item("till"))
    total = int(page.text("#restarts"))
    page.click(item("till"))
    page.type("#token", TOKEN)
    page.click("[data-action=crash]")
    page.until("the news", "return /till/.test(document.getElementById('news').textContent)")
    page.until("the restart is counted on the node",
               "return Number(document.querySelector(arguments[0])?.dataset.restarts ?? -1) > arguments[1]", item("till"), before)
    page.until("and in all", "return Number(document.getElementById('restarts').textContent) > arguments[0]", total)
    page.until("the badge", "return document.querySelector(arguments[0]).textContent.includes('↻')", item("till"))


@test
def a_restart_is_shown_for_a_moment(page, victim):
    open_page(page, victim, f"#token={TOKEN.replace(' ', '%20')}")
    assert page.run("return location.hash") == "", "the token stays in the address"
    page.click(item("till"))
    page.click("[data-action=crash]")
    page.until("restarted just now", "return document.querySelector(arguments[0])?.dataset.state === 'restarted'", item("till"))
    page.until("and it is over", "return document.querySelector(arguments[0])?.dataset.state === 'waiting'", item("till"))


@test
def suspended_and_resumed(page, victim):
    open_page(page, victim, f"#token={TOKEN.replace(' ', '%20')}")
    page.click(item("clumsy"))
    page.click("[data-action=suspend]")
    until_label(page, "clumsy", "suspended")
    page.until("resume is offered", "return !document.querySelector('[data-action=resume]').hidden")
    page.click("[data-action=resume]")
    until_label(page, "clumsy", "waiting|restarted|in handle")


@test
def who_is_stuck_says_so_and_how_many_wait(page, victim):
    open_page(page, victim)
    until_label(page, "stuck", r"stuck for .* in handle_cast, [1-9]\d* messages wait")
    page.until("the mailbox", "return document.querySelector(arguments[0]).textContent.includes('✉')", item("stuck"))


@test
def the_keyboard_is_enough(page, victim):
    open_page(page, victim)
    page.run("document.querySelector('#tree [tabindex=\"0\"]').focus()")
    first = focused(page)
    page.press("Down")
    second = focused(page)
    assert second != first and second, second
    page.press("Up")
    assert focused(page) == first
    page.press("End")
    last = focused(page)
    page.press("Home")
    assert focused(page) == first and last != first
    page.press("Left")
    page.until("it is folded", "return document.activeElement.getAttribute('aria-expanded') === 'false'")
    assert len(page.run("return [...document.querySelectorAll('[role=treeitem]')].map((one) => one.dataset.key)")) == 1
    page.press("Right")
    page.until("it is open", "return document.activeElement.getAttribute('aria-expanded') === 'true'")
    page.press("Right", "Enter")
    page.until("the details are open", "return !document.getElementById('details').hidden")
    page.press("Escape")
    page.until("and closed", "return document.getElementById('details').hidden")
    assert focused(page) == second


@test
def focus_outlives_an_update(page, victim):
    open_page(page, victim)
    page.run("document.querySelector(arguments[0]).focus()", item("farm"))
    page.run("window.seen = document.getElementById('uptime').textContent")
    page.until("an update", "return document.getElementById('uptime').textContent !== window.seen")
    assert focused(page).endswith("/farm")


@test
def everything_has_a_name_and_a_role(page, victim):
    open_page(page, victim)
    assert page.run("return document.querySelectorAll('[role=treeitem]:not([aria-label])').length") == 0
    assert page.run("return document.querySelectorAll('[role=treeitem][tabindex=\"0\"]').length") == 1
    assert page.run("return [...document.querySelectorAll('input')].every((one) => one.labels.length > 0)")
    assert page.run("return [...document.querySelectorAll('button')].every((one) => (one.ariaLabel || one.textContent).trim() !== '')")
    assert page.run("return document.documentElement.lang") == "en"


CONTRAST = """
const light = (colour) => {
  const probe = document.createElement('span'); probe.className = 'probe'; document.body.append(probe);
  probe.style.color = colour;
  const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  probe.remove();
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const back = light('var(--paper)');
return ['ink', 'faint', 'waiting', 'running', 'stuck', 'suspended', 'restarted', 'ended'].map((name) => {
  const front = light(`var(--${name})`);
  return [name, (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)];
});
"""


@test
def what_is_written_can_be_read_in_the_light_and_in_the_dark(page, victim):
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        open_page(page, victim)
        for name, contrast in page.run(CONTRAST):
            assert contrast >= 4.5, f"{scheme}: {name} has a contrast of {contrast:.2f}"
    page.prefer("light")


@test
def hundreds_are_folded_into_cells_that_open(page, victim):
    crowd = daemon.Daemon("--cells", "400", "--token", TOKEN)
    try:
        open_page(page, crowd)
        group = "[role=treeitem][data-key$='/farm/*']"
        page.until("400 cells", "return document.querySelectorAll(`${arguments[0]} [data-leaf]`).length === 400", group)
        assert re.match("400 processes: 4?00 ?waiting|400 processes: ", page.run(LABEL, group))
        assert page.run("return document.querySelectorAll('[role=treeitem]').length") < 30
        page.run("document.querySelector(arguments[0]).focus()", group)
        page.press("Enter")
        page.until("each is a node", "return document.querySelectorAll(\"[data-key*='/farm/cell_']\").length === 400")
        page.type("#find", "cell_77")
        page.until("what is looked for stands out",
                   "return document.querySelectorAll('[role=treeitem]:not(.dim)').length === 1")
    finally:
        crowd.end()


@test
def the_last_picture_stays_when_the_daemon_goes(page, victim):
    mortal = daemon.Daemon()
    open_page(page, mortal)
    page.until("no token is asked for where nothing is allowed", "return document.getElementById('actions').hidden")
    mortal.end()
    page.until("it is said", "return !document.getElementById('offline').hidden")
    assert page.run("return document.querySelectorAll('[role=treeitem]').length") > 5


the_victim = daemon.Daemon("--token", TOKEN)
with Browser() as the_page:
    status = daemon.run(tests, the_page, the_victim)
the_victim.end()
sys.exit(status)
