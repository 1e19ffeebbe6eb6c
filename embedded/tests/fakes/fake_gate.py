"""A gate that answers everything itself."""

import os
import threading
from http.server import ThreadingHTTPServer

from fake_service import Handler

if __name__ == "__main__":
    for variable in ("TASKYARD_PORT", "TASKYARD_ADMIN_PORT"):
        server = ThreadingHTTPServer(("127.0.0.1", int(os.environ[variable])), Handler)
        threading.Thread(target=server.serve_forever).start()
