"""A gate that answers everything itself."""

import os
import sys
import threading
from http.server import ThreadingHTTPServer

from fake_service.__main__ import Handler

if __name__ == "__main__":
    if sys.argv[1:] == ["drain"]:
        sys.exit()
    admin = ThreadingHTTPServer(("127.0.0.1", int(os.environ["TASKYARD_ADMIN_PORT"])), Handler)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["TASKYARD_PORT"])), Handler).serve_forever()
