"""Substitutes for TensorBoard: small programs of that name on a separate PATH."""

import os
import sys
from pathlib import Path

SERVES = f"""#!{sys.executable}
import http.server, os, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = " ".join([options["--logdir"], *sorted(os.listdir(options["--logdir"]))]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass  # Requests are no output of a TensorBoard.
server = http.server.HTTPServer((options["--host"], int(options["--port"])), Answer)
print("it serves", flush=True)
server.serve_forever()
"""
STUBBORN = SERVES.replace(
    "import http",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nimport http",
    1,
)
FAILS = "#!/bin/sh\necho no flag --port >&2\nexit 1\n"
DIES = "#!/bin/sh\nkill -9 $$\n"
# A Python that has no TensorBoard.
WORTHLESS = "#!/bin/sh\nexit 1\n"


def path_without() -> str:
    """Return the PATH without the folders that contain a TensorBoard."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if not Path(folder, "tensorboard").exists()
    )


def path_with(folder: Path, **programs: str) -> str:
    """Write programs to a folder, and return a PATH that begins with it."""
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{path_without()}"
