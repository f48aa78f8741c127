# SPDX-License-Identifier: Apache-2.0
"""Hundreds of connections in one process, each with requests in hand all the
time, which must be carried out once each and in order: token n goes into
register n % RING of the connection's own by function code 23, which reads the
whole ring back, so that what is lost, done over again or done late shows in
the next replies."""
import multiprocessing
import select
import signal
import socket
import struct

import sysutil

RING = 8


def ring(n):
    """What the registers hold once token n has been written."""
    return [max(n - (n - i) % RING, 0) & 0xffff for i in range(RING)]


class Line:
    """One of the connections."""

    def __init__(self, port, at, depth):
        self.at, self.depth = at * RING, depth
        self.asked = self.done = 0
        self.got = b""
        self.socket = socket.create_connection(("127.0.0.1", port), 100)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self):
        """As many requests as may be outstanding, in one write."""
        out = b""
        while self.asked - self.done < self.depth:
            self.asked += 1
            out += struct.pack(
                ">HHHBBHHHHBH", self.asked & 0xffff, 0, 13, 1, 23, self.at,
                RING, self.at + self.asked % RING, 1, 2, self.asked & 0xffff)
        self.socket.sendall(out)

    def take(self):
        """What has come."""
        more = self.socket.recv(65536)
        if not more:
            raise EOFError("closed after %d" % self.done)
        self.got += more
        size = 9 + 2 * RING
        while len(self.got) >= 9:
            if self.got[7] != 23:
                raise AssertionError("answered " + self.got.hex())
            if len(self.got) < size:
                break
            self.done += 1
            want = struct.pack(">HHHBBB%dH" % RING, self.done & 0xffff, 0,
                               size - 6, 1, 23, 2 * RING, *ring(self.done))
            if self.got[:size] != want:
                raise AssertionError("%s, not %s" % (
                    self.got[:size].hex(), want.hex()))
            self.got = self.got[size:]


class Crowd(multiprocessing.Process):
    """n connections at work until over() is called. The first asks one at a
    time, the second two, the third three, and so on again."""

    def __init__(self, port, n=200):
        super().__init__()
        self.port, self.n = port, n
        self.pipe, self.theirs = multiprocessing.Pipe()
        self.answered = multiprocessing.Array("Q", n, lock=False)
        self.start()
        self.theirs.close()

    def run(self):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        why = None
        try:
            self.work()
        except BaseException as e:
            why = repr(e)
        self.theirs.send(why)

    def work(self):
        lines, poll = {}, select.epoll()
        for i in range(self.n):
            line = Line(self.port, i, 1 + i % 3)
            lines[line.socket.fileno()] = i, line
            poll.register(line.socket, select.EPOLLIN)
        for _, line in lines.values():
            line.ask()
        poll.register(self.theirs, select.EPOLLIN)
        ending = False
        while not ending or any(l.asked > l.done for _, l in lines.values()):
            for fd, _ in poll.poll():
                if fd not in lines:
                    ending = True
                    poll.unregister(fd)
                    continue
                i, line = lines[fd]
                line.take()
                self.answered[i] = line.done
                if not ending:
                    line.ask()
        for _, line in lines.values():
            line.socket.close()

    def go_on(self):
        """Waits until every connection has had another answer, or until one
        has failed."""
        before = self.answered[:]
        sysutil.wait_for(
            lambda: all(a > b for a, b in zip(self.answered, before)) or
            self.pipe.poll(), 60, "answers to all")

    def over(self):
        """Ends it, once all that was asked is answered: what went wrong, or
        None."""
        if not self.pipe.poll() and self.is_alive():
            self.pipe.send("enough")
        said = (self.pipe.recv() if self.pipe.poll(300)
                else "the crowd does not end")
        self.join(10)
        self.kill()
        self.join()
        self.pipe.close()
        return said
