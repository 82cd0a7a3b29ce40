"""`python -m riseml.engines.local.controller HOME [READY_FD]`: run the controller of a home."""

import sys
from pathlib import Path

from riseml.engines.local.controller.server import main

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
