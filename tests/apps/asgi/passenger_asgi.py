"""The ASGI twin of tests/apps/rack: one application with a path for everything a server must get right.

`/big/1000` calls `big("1000")` of the class that has it; WebSockets and the lifespan have files of their own.
"""

from lib.bodies import Bodies
from lib.exchanges import Exchanges
from lib.failures import Failures
from lib.handler import dispatch
from lib.headers import Headers
from lib.lifespan import lifespan
from lib.requests import Requests
from lib.slips import Slips
from lib.websockets import websocket

PROTOCOLS = {
    "http": dispatch(Requests, Headers, Bodies, Exchanges, Failures, Slips),
    "websocket": websocket,
    "lifespan": lifespan,
}


async def application(scope, receive, send):
    await PROTOCOLS[scope["type"]](scope, receive, send)
