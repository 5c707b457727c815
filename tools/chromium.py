"""The browser that the server's page is tested with: `python tools/chromium.py` installs Debian's where there is none.

It is a package of the system's, since the indexes of Python and Rust have no browser that runs by itself. Nothing is
changed where one is found: TRILLM_CHROMIUM names it, or it is on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """Where it is, if there is one."""
    names = (os.environ.get("TRILLM_CHROMIUM"), *NAMES)
    return next((path for name in names if name and (path := shutil.which(name))), None)


def main() -> int:
    """Installs it if it is missing; the exit code."""
    if find():
        return 0
    apt = shutil.which("apt-get")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if apt is None or (as_root and shutil.which("sudo") is None):
        print("there is no Chromium: install one, or name one in TRILLM_CHROMIUM", file=sys.stderr)
        return 1
    # What is installed needs fonts, or it measures texts that it cannot draw.
    install = [apt, "install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([apt, "update"], install):
        done = subprocess.run([*as_root, *command], env=environment, check=False)
        if done.returncode:
            print("Chromium could not be installed: TRILLM_CHROMIUM names one that is there", file=sys.stderr)
            return 1
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
