"""A browser without a window, told what to do by its own protocol, over two pipes: no driver, no port.

What a test types goes through the browser's input, as from a keyboard; what it looks at is what the page has become.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import chromium

KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, " ": 32}


def program() -> str:
    """Where the browser is."""
    found = chromium.find()
    assert found, "there is no Chromium: `just browser` installs Debian's, or TRILLM_CHROMIUM names one"
    return found


class Browser:
    """One page of a browser that starts for it, with a profile of its own."""

    def __init__(self, profile: Path, *, dark: bool = False) -> None:
        theirs, write = os.pipe()
        read, answers = os.pipe()
        command = [
            program(),
            "--headless=new",
            "--remote-debugging-pipe",
            # A container's user is root, which Chromium's own sandbox does not take.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        # The protocol is spoken at descriptors 3 and 4.
        script = f'exec "$@" 3<&{theirs} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(theirs, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self._write, self._read = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        """What the page said by itself."""
        self._session: str | None = None
        pages = self._call("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._read.fileno(), 1 << 16)
            assert part, "the browser ended"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, url: str) -> None:
        """Goes there, and waits until its scripts have run."""
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def text(self, selector: str) -> str:
        """What is written in the first element that it selects; nothing where there is none."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")
        return found

    def until(self, script: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + 30
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < end, f"{script}\n{self.run('document.body.innerText')}\n{self.faults()}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """As a person does, with what is on top of it at its middle."""
        script = f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{ block: "center" }});
            const {{ x, y, width, height }} = element.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()"""
        x, y = self.run(script)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Writes where the focus is."""
        self._call("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key, down and up."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **about)

    def focus(self) -> str:
        """What has the focus, by its id or its name."""
        found: str = self.run(
            "document.activeElement.id || document.activeElement.getAttribute('aria-label') "
            "|| document.activeElement.textContent.trim()"
        )
        return found

    def size(self, width: int, height: int) -> None:
        """Makes the screen as large."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def answer_dialogs(self, accept: bool = True) -> None:
        """Answers what the page asks by a window of the browser's, from now on, without anybody seeing it."""
        self.run(f"window.confirm = () => {json.dumps(accept)}")

    def picture(self, path: Path) -> None:
        """What it looks like, for people who look into a test."""
        from base64 import b64decode

        path.write_bytes(b64decode(self._call("Page.captureScreenshot")["data"]))

    def faults(self) -> list[str]:
        """Errors of scripts, and what the policy of the page forbade."""
        self.run("0")
        said = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(str(params["exceptionDetails"]))
            elif event.get("method") == "Log.entryAdded" and params["entry"]["source"] == "security":
                said.append(params["entry"]["text"])
        return said

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._write.close()
        self._read.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
