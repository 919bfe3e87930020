"""Response heads of every kind."""

from lib.handler import Handler


class Headers(Handler):
    async def cookies(self):
        await self.text("cookies\n", ("set-cookie", "first=1; path=/"), ("set-cookie", "second=2; path=/"))

    async def multi(self):
        await self.text("multi\n", *(("x-multi", value) for value in ("one", "two", "three")))

    async def large_header(self, length):
        await self.text("large\n", ("x-large", "x" * int(length)))

    async def many_headers(self, count):
        await self.text("many\n", *((f"x-header-{i}", str(i)) for i in range(int(count))))

    async def status(self, code):
        code = int(code)
        if code in (204, 304):
            await self.start(code)
            await self.body()
        else:
            await self.answer(code, "text/plain", f"status {code}\n".encode())

    async def redirect(self):
        await self.start(302, ("location", "/hello"))
        await self.body()

    async def early_hints(self):
        offered = "http.response.early_hint" in self.scope.get("extensions", {})
        if offered:
            await self.send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload; as=style"]})
        await self.text(f"hinted: {'true' if offered else 'false'}\n")

    async def connection_close(self):
        await self.text("closing\n", ("connection", "close"))
