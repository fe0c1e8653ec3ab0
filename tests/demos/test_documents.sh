#!/bin/sh
# tests/demos/test_documents.sh - what the README, the guide and the lessons print compiles, runs, and says that.
#
# Room: tests/.  Needs BUILD, and python3.  The last line is `N passed, N failed`.
set -u

if ! command -v python3 > /dev/null; then
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
PAUSE=0 PATIENCE=1000 exec python3 tests/demos/documents.py README.md demos/*/*.md
