#!/usr/bin/env bash
# kubernetes 37.0.2 (Python): if the login program of a kubeconfig fails, requests go out without credentials.
#
# A user of a kubeconfig may name a program (`exec`) that logs the user in and prints a token. kubectl stops with an error
# if that program fails. `load_kube_config` only logs the failure, returns as if it had worked, and the client then sends its
# requests as an anonymous user. A cluster answers them with "forbidden", which looks like missing rights, or even accepts
# some, as /version. A program that wants to say "log in again" has to run the login program by itself.
#
# Seen: no exception, a log line with the exit status, and a request without a header Authorization.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2

cat > kubeconfig.yaml << 'YAML'
apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: ana}}]
clusters: [{name: lab, cluster: {server: "http://127.0.0.1:PORT"}}]
users:
- name: ana
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: "false", interactiveMode: Never}
YAML
cat > login.py << 'PYTHON'
import json
import pathlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from kubernetes import client, config

FIELDS = ("major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
headers = []


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        headers.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(dict.fromkeys(FIELDS, "1")).encode())

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
file = pathlib.Path("kubeconfig.yaml")
file.write_text(file.read_text().replace("PORT", str(server.server_port)))
try:
    config.load_kube_config(str(file))
except Exception as error:
    print("raised", type(error).__name__)
else:
    client.VersionApi().get_code()
    print("no error; Authorization:", *headers)
PYTHON

seen=$(env -u HTTP_PROXY -u http_proxy venv/bin/python login.py 2> log.txt)
cat log.txt
echo "$seen"
[ "$seen" = "no error; Authorization: None" ] || { echo "changed: the failure is no longer only logged"; exit 1; }
grep -q "process returned 1" log.txt || { echo "changed: the failure is not logged"; exit 1; }
echo "as described"
