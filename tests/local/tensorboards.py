"""Stand-ins for TensorBoard: small programs of that name on a PATH of their own."""

import os
import sys
from pathlib import Path

SERVES = f"""#!{sys.executable}
import http.server, os, sys
told = dict(zip(sys.argv[1::2], sys.argv[2::2]))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = " ".join([told["--logdir"], *sorted(os.listdir(told["--logdir"]))]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer((told["--host"], int(told["--port"])), Answer)
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
WORTHLESS = "#!/bin/sh\nexit 1\n"  # a Python that has no TensorBoard


def path_without() -> str:
    """Return the PATH without folders that have a TensorBoard."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        each for each in folders if not Path(each, "tensorboard").exists()
    )


def path_with(folder: Path, **programs: str) -> str:
    """Write programs into a folder, and return the PATH that begins with it."""
    folder.mkdir()
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{path_without()}"
