"""tests/web/daemon.py - the daemon that the scripts here try, and counting tests."""

import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("BUILD", "build")
SOON = 30  # seconds


class Daemon:
    def __init__(self, *options):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([f"{BUILD}/web-daemon", *options], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line, "the daemon did not come up"
        self.url = line.strip()
        self.port = int(re.search(r":(\d+)/", line).group(1))

    def said(self, words):
        """How often."""
        self.log.seek(0)
        return self.log.read().count(words)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(SOON)
        self.process.stdout.close()
        return status


def run(tests, *arguments):
    """Each test, with the sum as the last line; the script's status."""
    passed = failed = 0
    for test in tests:
        try:
            test(*arguments)
            passed += 1
        except Exception as error:  # whatever it is, it is that test's
            failed += 1
            print(f"FAIL: {test.__name__}: {type(error).__name__}: {error}")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)
