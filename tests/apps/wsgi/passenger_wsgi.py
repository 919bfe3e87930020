"""The twin of tests/apps/rack: one application with a path for everything a server must get right.

`/big/1000` calls `big("1000")` of the class that has it; every answer passes wsgiref.validate, but for those under
`/unlinted`, which break its rules on purpose.
"""

from wsgiref.validate import validator

from lib.bodies import Bodies
from lib.failures import Failures
from lib.handler import dispatch
from lib.headers import Headers
from lib.requests import Requests
from lib.unlinted import Unlinted

linted = validator(dispatch(Requests, Headers, Bodies, Failures))
unlinted = dispatch(Unlinted)


def application(environ, start_response):
    if environ["PATH_INFO"].startswith("/unlinted/"):
        environ["PATH_INFO"] = environ["PATH_INFO"][len("/unlinted") :]
        return unlinted(environ, start_response)
    return linted(environ, start_response)
