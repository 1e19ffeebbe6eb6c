"""The three keys of every error, which the clients of this API read (spec: scheduler 1.4)."""

import orjson
from flask import Response


def complete(response: Response) -> Response:
    """Say whose fault an error is, as the reference does beside its ``faultstring``."""
    if response.status_code >= 400 and response.is_json and b'"faultcode"' not in response.get_data():
        body = orjson.loads(response.get_data())
        if "faultstring" in body:
            side = "Server" if response.status_code >= 500 else "Client"
            response.set_data(orjson.dumps({"faultcode": side, **body}))
    return response
