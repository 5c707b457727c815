"""`python -m trillm`: the command line, wherever the script is not on the path."""

import sys

from trillm.cli import main

sys.exit(main())
