"""A channel: one end of a socket, over which whole messages go, framed and checked.

A frame is a header (a mark, the lengths of a text and of a body, checksums of both parts), the
text and the body. What a user's function writes into a descriptor that is not its own is told from
a message by the mark and the checksums. The executor's end never waits: not for the rest of a
message, and not for a process that does not read.
"""

import contextlib
import math
import select
import socket
import struct
import time
import zlib
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

_MARK = b"hpo\x01"
_HEADER = struct.Struct("!4sIQI")  # mark, bytes of text, bytes of body, checksum of both
_CHECK = struct.Struct("!I")  # of the header
_START = _HEADER.size + _CHECK.size
_MOST_TEXT = 1 << 24
_MOST_BODY = 1 << 40
_READ = 1 << 20  # bytes read at once
_READS = 64  # reads before others are heard


class Garbled(Exception):
    """What came over a channel is no message."""


@dataclass(frozen=True)
class Frame:
    """A message as it travels: a short text, and a body that may be large."""

    text: bytes
    body: bytes = b""

    def packed(self) -> bytes:
        """Return the frame with its header."""
        if len(self.text) > _MOST_TEXT:
            raise ValueError(f"a message of {len(self.text)} bytes; at most {_MOST_TEXT} can go")
        check = zlib.crc32(self.body, zlib.crc32(self.text))
        header = _HEADER.pack(_MARK, len(self.text), len(self.body), check)
        return b"".join([header, _CHECK.pack(zlib.crc32(header)), self.text, self.body])


class Channel:
    """One end of a socket. A process waits with `send` and `receive`, the executor does not.

    `post` and `arrived` need a socket that does not block. `is_over` is True when the other side
    has closed its end and everything from it has been returned.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._came = bytearray()
        self._outbox: deque[tuple[memoryview, socket.socket | None]] = deque()
        self._heard_at = 0.0
        self.is_over = False

    def fileno(self) -> int:
        """Return the descriptor, -1 when closed."""
        return self._end.fileno()

    @property
    def is_closed(self) -> bool:
        """Whether this end has been closed."""
        return self._end.fileno() < 0

    @property
    def is_waiting(self) -> bool:
        """Whether something that was posted is still to be sent."""
        return bool(self._outbox)

    @property
    def half_since(self) -> float | None:
        """Since when half a message lies here and nothing more has come, None if none does."""
        return self._heard_at if self._came else None

    def close(self) -> None:
        """Close this end, and what was to be handed over."""
        self._end.close()
        for _, enclosed in self._outbox:
            if enclosed is not None:
                enclosed.close()
        self._outbox.clear()

    # -- waiting

    def send(self, frame: Frame) -> None:
        """Send a message. Raises `OSError` where the other side is gone."""
        self._end.sendall(frame.packed())

    def receive(self) -> Frame:
        """Wait for a message. Raises `EOFError` or `OSError` where the other side is gone."""
        texts, bodies, check = _lengths(self._exactly(_START))
        return _checked(self._exactly(texts), self._exactly(bodies), check)

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._end.recv(min(count - len(parts), _READ))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    # -- never waiting

    def post(self, frame: Frame) -> None:
        """Send a message as soon as the other side reads it; `flush` sends what is left."""
        self.hand(frame.packed())

    def hand(self, data: bytes, enclosed: socket.socket | None = None) -> None:
        """Send plain bytes likewise, and with them a socket, which is closed here then."""
        self._outbox.append((memoryview(data), enclosed))
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now. Raises `OSError` where the other side is gone."""
        while self._outbox:
            data, enclosed = self._outbox[0]
            try:
                if enclosed is None:
                    sent = self._end.send(data[:_READ])
                else:
                    sent = socket.send_fds(self._end, [data], [enclosed.fileno()])
                    enclosed.close()
            except BlockingIOError:
                return
            self._outbox.popleft()
            if sent < len(data):
                self._outbox.appendleft((data[sent:], None))

    def is_readable(self) -> bool:
        """Whether something has come that has not been read."""
        return not self.is_closed and bool(ready([self], 0.0))

    def arrived(self) -> list[Frame]:
        """Return the messages that have come in full. Raises `Garbled`, then and ever after."""
        for _ in range(_READS):
            try:
                part = self._end.recv(_READ)
            except BlockingIOError:
                break
            except OSError:  # reset: the other side is gone
                part = b""
            if not part:
                self.is_over = True
                break
            self._came += part
            self._heard_at = time.monotonic()
        return self._frames()

    def _frames(self) -> list[Frame]:
        frames: list[Frame] = []
        came = self._came
        while came:
            if not came.startswith(_MARK[: len(came)]):
                raise Garbled
            if len(came) < _START:
                break
            texts, bodies, check = _lengths(bytes(came[:_START]))
            end = _START + texts + bodies
            if len(came) < end:
                break
            text, body = came[_START : _START + texts], came[_START + texts : end]
            frames.append(_checked(bytes(text), bytes(body), check))
            del came[:end]
        if self.is_over:  # half a message of a process that was ended in the middle of it
            came.clear()
        return frames


def pair() -> tuple[Channel, socket.socket]:
    """Return an end that does not wait, and the other end as a socket to hand on."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Channel(ours), theirs


def ready(channels: Collection[Channel], timeout: float | None) -> set[Channel]:
    """Wait until something has come, or can be sent; return the channels on which it has come."""
    poll = select.poll()
    known = {channel.fileno(): channel for channel in channels}
    for number, channel in known.items():
        poll.register(number, select.POLLIN | (select.POLLOUT if channel.is_waiting else 0))
    heard = set()
    for number, event in poll.poll(None if timeout is None else math.ceil(1000 * timeout)):
        if event & ~select.POLLOUT:
            heard.add(known[number])
        if event & select.POLLOUT:
            with contextlib.suppress(OSError):  # nobody reads any more, which is heard too
                known[number].flush()
    return heard


def _lengths(start: bytes) -> tuple[int, int, int]:
    mark, texts, bodies, check = _HEADER.unpack_from(start)
    is_whole = _CHECK.unpack_from(start, _HEADER.size)[0] == zlib.crc32(start[: _HEADER.size])
    if mark != _MARK or not is_whole or texts > _MOST_TEXT or bodies > _MOST_BODY:
        raise Garbled
    return texts, bodies, check


def _checked(text: bytes, body: bytes, check: int) -> Frame:
    if zlib.crc32(body, zlib.crc32(text)) != check:
        raise Garbled
    return Frame(text, body)
