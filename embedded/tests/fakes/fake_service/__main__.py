"""A service without work: `python -m fake_service api|worker|migrate`."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/crash":
            self.wfile.flush()
            os._exit(3)

    def log_message(self, *_: object) -> None:
        pass


def migrate() -> None:
    import psycopg

    with psycopg.connect(os.environ["TASKYARD_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visits (id bigserial)")
        connection.execute("INSERT INTO visits DEFAULT VALUES")


if __name__ == "__main__":
    if os.environ.get("FAKE_BROKEN") == sys.argv[1]:
        sys.stderr.write("the setting that matters is missing\n")
        sys.exit(os.EX_CONFIG)
    if os.environ.get("FAKE_STUBBORN") == sys.argv[1]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.argv[1] == "migrate":
        migrate()
    else:
        sys.stderr.write(json.dumps({"level": "warning", "event": "tea_is_cold", "cup": sys.argv[1]}) + "\n")
        ThreadingHTTPServer(("127.0.0.1", int(os.environ["TASKYARD_PORT"])), Handler).serve_forever()
