"""What ASGI forbids, and real applications do all the same."""

from lib.bodies import PLAIN
from lib.handler import Handler


class Slips(Handler):
    async def too_short(self):
        """Ten bytes promised, five given."""
        await self.start(200, PLAIN, ("content-length", "10"))
        await self.body(b"12345")

    async def too_long(self):
        """Five bytes promised, ten given."""
        await self.start(200, PLAIN, ("content-length", "5"))
        await self.body(b"1234567890")

    async def no_answer(self):
        """Returns without a word."""

    async def half_an_answer(self):
        """Returns before the last body message."""
        await self.start(200, PLAIN)
        await self.body(b"half", more_body=True)

    async def no_body(self):
        """Returns before any body message."""
        await self.start(200, PLAIN)

    async def body_first(self):
        await self.body(b"a body without a head")

    async def start_twice(self):
        await self.start(200, PLAIN)
        await self.start(404, PLAIN)

    async def body_after_the_end(self):
        await self.text("complete\n")
        await self.body(b"too much")

    async def unknown_message(self):
        await self.send({"type": "http.response.surprise"})

    async def body_with_204(self):
        await self.start(204, PLAIN)
        await self.body(b"there must be none")

    async def text_body(self):
        await self.start(200, PLAIN)
        await self.send({"type": "http.response.body", "body": "text, where bytes must be"})

    async def text_header(self):
        await self.send({"type": "http.response.start", "status": 200, "headers": [("x-text", "value")]})
        await self.body(b"text")

    async def text_status(self):
        await self.send({"type": "http.response.start", "status": "200 OK", "headers": []})
        await self.body(b"text")

    async def upper_case_header(self):
        await self.send({"type": "http.response.start", "status": 200, "headers": [(b"X-Upper", b"value")]})
        await self.body(b"upper")

    async def without_headers(self):
        """The headers may be left out."""
        await self.send({"type": "http.response.start", "status": 200})
        await self.body(b"no headers")

    async def headers_as_an_iterator(self):
        """Any iterable will do, of lists as well as of tuples."""
        headers = iter([[b"content-type", b"text/plain"], [b"x-list", b"value"]])
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.body(b"iterated")

    async def header_injection(self):
        """A header value with a line break that would end the head."""
        await self.start(200, PLAIN, ("x-injected", "value\r\nX-Evil: yes\r\n\r\nbody"))
        await self.body(b"safe")
