"""What wsgiref.validate forbids or hides from the server, and real applications do all the same."""

import os
import sys

from lib.bodies import CLOSED, FILE, PLAIN, Closable
from lib.handler import Handler


class FileLike:
    def __init__(self, key):
        self.key = key
        self.pieces = [b"not ", b"a ", b"file"]

    def read(self, _size):
        return self.pieces.pop(0) if self.pieces else b""

    def close(self):
        CLOSED[self.key] += 1


class Unlinted(Handler):
    def read(self):
        """All there is, by reads without a length."""
        stream = self.environ["wsgi.input"]
        return self.json({"pieces": [stream.read().decode("latin-1")], "at_end": stream.read().decode()})

    def read_minus_1(self):
        return self.json({"pieces": [self.environ["wsgi.input"].read(-1).decode("latin-1")], "at_end": ""})

    def too_short(self):
        """Ten bytes promised, five given."""
        self.start(200, PLAIN, ("Content-Length", "10"))
        return [b"12345"]

    def too_long(self):
        """Five bytes promised, ten given."""
        self.start(200, PLAIN, ("Content-Length", "5"))
        return [b"1234567890"]

    def too_long_in_pieces(self):
        self.start(200, PLAIN, ("Content-Length", "5"))
        return iter([b"1234", b"5678", b"90"])

    def body_with_204(self):
        self.start(204, PLAIN)
        return [b"there must be none"]

    def none_answer(self):
        self.start(200, PLAIN)

    def no_start(self):
        """Never calls start_response."""
        return [b"a body without a head"]

    def body_of_text(self):
        self.start(200, PLAIN)
        return ["text, where bytes must be"]

    def body_is_bytes(self):
        """One object where a list of it should be; iterating gives integers."""
        self.start(200, PLAIN)
        return b"bytes"

    def integer_header(self):
        self.start(200, PLAIN, ("X-Number", 42))
        return [b"number"]

    def bytes_header(self):
        self.start(200, PLAIN, (b"X-Bytes", b"value"))
        return [b"bytes"]

    def integer_status(self):
        self.start_response(200, [PLAIN])
        return [b"an integer"]

    def short_status(self):
        self.start_response("200", [PLAIN])
        return [b"no reason"]

    def bad_status(self):
        self.start_response("a fine day", [PLAIN])
        return [b"no number"]

    def header_injection(self):
        """A header value with a line break that would end the head."""
        self.start(200, PLAIN, ("X-Injected", "value\r\nX-Evil: yes\r\n\r\nbody"))
        return [b"safe"]

    def wide_header(self):
        """Characters that no header can carry."""
        self.start(200, PLAIN, ("X-Wide", "\u20ac"))
        return [b"wide"]

    def latin_1_header(self):
        self.start(200, PLAIN, ("X-Latin", "sm\xf6rg\xe5s"))
        return [b"latin"]

    def late_status(self):
        """A generator function as the application: the status comes with the first iteration."""
        self.start(201, PLAIN)
        yield b"late"

    def late_empty(self):
        """The same without a body."""
        self.start(202, PLAIN)
        return
        yield b""

    def empty_chunks(self):
        """The head must wait for the first byte, as PEP 3333 says: until then the application may change its mind."""
        self.start(200, PLAIN)
        yield b""
        try:
            raise ValueError("something went wrong")
        except ValueError:
            self.start_response("503 Service Unavailable", [PLAIN], sys.exc_info())
        yield b"sorry"

    def write(self):
        """The imperative way of PEP 3333, and a body behind it."""
        write = self.start(200, PLAIN)
        write(b"written ")
        write(b"twice ")
        return [b"and returned"]

    def write_with_length(self):
        write = self.start(200, PLAIN, ("Content-Length", "12"))
        write(b"abcdef")
        write(b"ghijkl")
        return []

    def write_then_raise(self):
        write = self.start(200, PLAIN)
        write(b"written")
        raise RuntimeError("broken after write()")

    def start_twice(self):
        """Not allowed without exc_info."""
        self.start(200, PLAIN)
        self.start(404, PLAIN)
        return [b"never sent"]

    def exc_info_before(self):
        """An error page in place of what was started."""
        self.start(200, PLAIN, ("X-Before", "1"))
        try:
            raise ValueError("something went wrong")
        except ValueError:
            self.start_response("500 Oops", [PLAIN, ("X-After", "1")], sys.exc_info())
        return [b"oops"]

    def exc_info_after(self):
        """Too late for that: start_response raises what it is given."""
        write = self.start(200, PLAIN)
        write(b"already sent")
        try:
            raise ValueError("too late for an error page")
        except ValueError:
            self.start_response("500 Oops", [PLAIN], sys.exc_info())
        return [b"never sent"]

    def close_without_reading(self, key):
        """A body whose iterator is never started by a HEAD request."""
        self.start(200, PLAIN, ("Content-Length", "6"))
        return Closable(key, [b"abcdef"])

    def closed(self, key):
        return self.text(f"{CLOSED[key]}\n")

    def file(self, how="whole"):
        """By wsgi.file_wrapper, as frameworks do it."""
        file = open(FILE, "rb")
        size = os.path.getsize(FILE)
        headers = [PLAIN]
        if how != "without-length":
            size = {"whole": size, "from-the-middle": size - 100, "part": 100}[how]
            headers.append(("Content-Length", str(size)))
        if how == "from-the-middle":
            file.seek(100)
        self.start(200, *headers)
        return self.environ["wsgi.file_wrapper"](file, 4096)

    def file_like(self, key):
        """Something with `read` and `close` that is no file."""
        self.start(200, PLAIN)
        return self.environ["wsgi.file_wrapper"](FileLike(key))
