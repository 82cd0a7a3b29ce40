# Unpacks the code that a standalone document contains, the text $1, into the current directory. Few images lack both
# tools.
riseml_unpack() {
  { printf %s "$1" | base64 -d | tar -xzof -; } 2> /dev/null && return
  printf %s "$1" | python3 -c 'import base64, io, sys, tarfile
data = base64.b64decode(sys.stdin.read(), validate=True)
tarfile.open(fileobj=io.BytesIO(data)).extractall()' && return
  echo "riseml: cannot unpack the code in $PWD (as user $(id -u)): it needs base64 and tar, or python3" >&2
  exit 73
}

# Runs an install step as a build would: in a shell of its own.
riseml_install() {
  echo "riseml: install: $1"
  sh -ec "$1" && return
  riseml_status=$?
  echo "riseml: the install step failed with status $riseml_status: $1" >&2
  exit "$riseml_status"
}

