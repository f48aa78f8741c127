# SPDX-License-Identifier: Apache-2.0
"""A terminal for programs that want one."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, argv, env, rows=24, columns=80):
        self.master, slave = pty.openpty()
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            env={**env, "TERM": "xterm"}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self.master, text.encode())

    def more(self, timeout):
        if select.select([self.master], [], [], timeout)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            self.text += data.decode(errors="replace")
            return bool(data)
        return None

    def until(self, word, timeout=100.0):
        """Waits for a text, and forgets all up to its end."""
        end = time.monotonic() + timeout
        while word not in self.text:
            left = end - time.monotonic()
            if left <= 0 or self.more(left) is False:
                raise AssertionError(f"no {word!r} in {self.text!r}")
        before, _, self.text = self.text.partition(word)
        return before

    def raw(self):
        """Whether the program gets keys as they are, not lines."""
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def wait(self, timeout=100.0):
        """Waits for its end: the exit code."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end after {self.text!r}")
            self.more(0.05)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
