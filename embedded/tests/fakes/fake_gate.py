"""A gate that answers everything itself."""

import os
import threading
from http.server import ThreadingHTTPServer

from fake_service import Handler

if __name__ == "__main__":
    admin = ThreadingHTTPServer(("127.0.0.1", int(os.environ["TASKYARD_ADMIN_PORT"])), Handler)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["TASKYARD_PORT"])), Handler).serve_forever()
