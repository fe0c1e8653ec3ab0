"""tests/demos/documents.py - every code block of a document is what it says: it compiles, runs and prints that.

usage: BUILD=build documents.py FILE.md...      from the project's root.  The last line is `N passed, N failed`.

What a block is, is said by its language:

  c        with a main(): a whole program, which is compiled as printed; its name is that of the next console
           block's command. Without: an excerpt, which stands in a source of demos/ just so
  elixir   an excerpt of a .exs beside it, or else something that Elixir can parse, where there is Elixir
  console  `$ COMMAND` and what it prints: these lines, in this order; `...` is for others between them. What is
           different each time (times, pids, addresses) need only be of the same kind. What goes on for ever is
           ended by SIGTERM once it has said all of it
  sh       commands to be typed: targets that make has to know; others are run, one after the other
  text     neither is it
"""
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path.cwd()
BUILD = os.environ.get("BUILD", "build")
SANITIZER = os.environ.get("SAN", "")
PATIENCE = 120 if SANITIZER else 60
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


class Failure(Exception):
    pass


def drain(terminal):
    """What is said to nobody any more is no reason to wait."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass


def laid_out(text):
    """However it is laid out."""
    return " ".join(text.replace("\\\n", " ").split())


def same_kind(line):
    """A line without what differs from one run to the next."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z ", "", line)
    line = re.sub(r"<\d+\.\d+>", "<PID>", line)
    line = re.sub(r"\bstack=\S+", "stack=", line)
    line = re.sub(r"-?\b\d+(\.\d+)? ?(ns|us|ms|s)\b", "TIME", line)
    line = re.sub(r"[\w./]*/tmp/\S*?/", "/tmp/", line)
    return re.sub(r"\s+", " ", re.sub(r"-?\b\d+\.\d+\b", "NUMBER", line)).strip()


LOGGED = re.compile(r"^\S+: (emergency|alert|critical|error|warning|notice|info|debug): ")


def missing(expected, printed):
    """The first expected line that was not printed after those before it; None: all were.

    What is logged comes from other threads than what is printed: each has an order of its own.
    """
    got = [same_kind(line) for line in printed.split("\n")]
    for is_log in (False, True):
        left = iter([line for line in got if bool(LOGGED.match(line)) == is_log])
        for line in expected.split("\n"):
            wanted = same_kind(line)
            if wanted in ("", "...") or bool(LOGGED.match(wanted)) != is_log:
                continue
            if not any(wanted == other for other in left):
                return line
    return None


class Document:
    def __init__(self, path, stage):
        self.path = pathlib.Path(path)
        self.stage = stage
        self.blocks = FENCE.findall(self.path.read_text())
        self.environment = {**os.environ, "HOME": str(stage), "COPPICE_LOG": "notime", "BUILD": BUILD,
                            "LD_LIBRARY_PATH": str(stage / ".local/lib")}
        (stage / "run").mkdir()

    def check(self):
        for number, (language, text) in enumerate(self.blocks, 1):
            name = f"{self.path}, block {number}"
            try:
                getattr(self, "check_" + (language or "nothing"), self.check_unknown)(text, number)
                yield name, None
            except Failure as failure:
                yield name, failure

    def check_unknown(self, _text, _number):
        raise Failure("its language is none of those that are known")

    check_nothing = check_unknown

    def check_text(self, _text, _number):
        pass

    # ---------------------------------------------------------------- C

    def check_c(self, text, number):
        if "main(" in text:
            self.compile(text, self.program_after(number))
        elif not any(laid_out(text) in source for source in self.sources("*.c", "*.h")):
            raise Failure("no source below demos/ has this excerpt:\n" + text)

    def sources(self, *patterns):
        for pattern in patterns:
            for path in pathlib.Path("demos").rglob(pattern):
                yield laid_out(path.read_text())

    def program_after(self, number):
        for language, text in self.blocks[number:]:
            found = re.search(r"^\$ .*?\./(\w+)", text, flags=re.M) if language == "console" else None
            if found:
                return found[1]
        raise Failure("nobody runs this program")

    def compile(self, text, name):
        source = self.stage / f"{name}.c"
        source.write_text(text)
        flags = [f"-fsanitize={SANITIZER}"] if SANITIZER else []
        command = [*os.environ.get("CC", "cc").split(), "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", *flags, "-o", name,
                   source.name, str((ROOT / BUILD / "libcoppice.a").resolve()), "-lck", "-pthread"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.stage)
        if done.returncode != 0:
            raise Failure("does not compile: " + done.stderr)

    # ---------------------------------------------------------------- Elixir

    def check_elixir(self, text, _number):
        if any(laid_out(text) in source for source in self.sources("*.exs")) or not shutil.which("elixir"):
            return
        program = "Code.string_to_quoted!(IO.read(:stdio, :eof))"
        done = subprocess.run(["elixir", "-e", program], input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure("Elixir cannot read it: " + done.stderr)

    # ---------------------------------------------------------------- commands

    def check_console(self, text, _number):
        for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            self.run(command, expected)

    def run(self, command, expected):
        if "elixir" in command and not shutil.which("elixir"):
            return
        command = re.sub(r"\bbuild/", f"{BUILD}/", command)
        command = re.sub(r"(^|\s)\./(\w+)", rf"\1{self.stage}/\2", command)
        command = command.replace("/run/", f"{self.stage}/run/")
        program, printed = self.watch(command, lambda said: missing(expected, said) is None)
        line = missing(expected, printed)
        if line is not None:
            raise Failure(f"$ {command}\n  has not printed: {line}\n  but, and then status {program.returncode}:\n{printed}")

    def watch(self, command, is_enough):
        """Run it as in a terminal, until it ends, or has said enough and does not end by itself."""
        terminal, its_end = os.openpty()
        program = subprocess.Popen(["sh", "-c", command], stdout=its_end, stderr=its_end, stdin=subprocess.DEVNULL,
                                   env=self.environment, start_new_session=True)
        os.close(its_end)
        said, until = b"", time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ready = select.select([terminal], [], [], 0.5)[0]
            try:
                more = os.read(terminal, 65536) if ready else None
            except OSError:  # nobody has the other end any more
                more = b""
            if more == b"" or (more is None and is_enough(self.text_of(said))):
                break
            said += more or b""
        threading.Thread(target=drain, args=(terminal,), daemon=True).start()
        self.end(program)
        return program, self.text_of(said)

    @staticmethod
    def text_of(said):
        return said.decode(errors="replace").replace("\r\n", "\n")

    @staticmethod
    def end(program):
        """Let it end by itself, if it does; what goes on for ever is asked to."""
        for wait, word in ((2, signal.SIGTERM), (PATIENCE, signal.SIGKILL)):
            try:
                program.wait(wait)
                return
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, word)
        program.wait()

    def check_sh(self, text, _number):
        commands = [line.split(" #")[0].strip() for line in text.split("\n")]
        script = "\n".join(self.typed(command) for command in commands if command)
        done = subprocess.run(["sh", "-ec", script], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{script}\n  failed: {done.stdout[-500:]}{done.stderr[-500:]}")

    def typed(self, command):
        """What a user types, but for what the tests are made by."""
        if command.startswith("make ") and "PREFIX" not in command:
            return f"cd {ROOT}; {command.replace('make ', 'make -n ', 1)} > /dev/null"
        if SANITIZER:
            return ":"  # a stranger's program has no sanitizer to match ours
        return f"cd {ROOT if command.startswith('make ') else self.stage}; {command}"


def main(paths):
    passed = failed = 0
    for path in paths:
        with tempfile.TemporaryDirectory() as stage:
            for name, failure in Document(path, pathlib.Path(stage)).check():
                passed, failed = passed + (failure is None), failed + (failure is not None)
                if failure:
                    print(f"FAILED: {name}: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
