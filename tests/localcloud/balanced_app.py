"""The program that the test's servers run: behaves as /srv/status says, and as the path asks."""

import http.server
import json
import os
import time
from pathlib import Path


class App(http.server.BaseHTTPRequestHandler):
    """Answers with the host's name and the headers that came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/slow":
            self.answer_slowly(4.0)
        elif self.path == "/close":
            self.connection.close()
            self.close_connection = True
        else:
            time.sleep(30 if self.path == "/silent" else 0)
            self.answer(int(Path("/srv/status").read_text()) if self.path in ("/health", "/status") else 200)

    def answer(self, status: int) -> None:
        """Answer at once."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"host": os.uname().nodename, "headers": headers, "path": self.path}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_slowly(self, seconds: float) -> None:
        """Answer with a download that takes a while."""
        self.send_response(200)
        self.send_header("Content-Length", "80")
        self.end_headers()
        for _ in range(8):
            time.sleep(seconds / 8)
            self.wfile.write(b"0123456789")
            self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 80), App).serve_forever()
