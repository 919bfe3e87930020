"""Response heads of every kind."""

from lib.handler import Handler


class Headers(Handler):
    def cookies(self):
        return self.text("cookies\n", ("Set-Cookie", "first=1; path=/"), ("Set-Cookie", "second=2; path=/"))

    def multi(self):
        return self.text("multi\n", *(("X-Multi", value) for value in ("one", "two", "three")))

    def large_header(self, length):
        return self.text("large\n", ("X-Large", "x" * int(length)))

    def many_headers(self, count):
        return self.text("many\n", *((f"X-Header-{i}", str(i)) for i in range(int(count))))

    def status(self, code):
        code = int(code)
        if code in (204, 304):
            self.start(code)
            return []
        self.start(code, ("Content-Type", "text/plain"))
        return [f"status {code}\n".encode()]

    def redirect(self):
        self.start(302, ("Location", "/hello"), ("Content-Type", "text/plain"))
        return []

    def early_hints(self):
        hint = self.environ.get("wsgi.early_hints")
        if hint:
            hint([("Link", "</style.css>; rel=preload; as=style")])
        return self.text(f"hinted: {'true' if hint else 'false'}\n")

    def connection_close(self):
        return self.text("closing\n", ("Connection", "close"))
