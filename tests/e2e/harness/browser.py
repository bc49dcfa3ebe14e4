# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium: what it makes of a file."""
import pathlib
import subprocess
import tempfile
import xml.etree.ElementTree

BROWSER = "chromium"
SECONDS = 120
SVG = "{http://www.w3.org/2000/svg}"


def open_file(path, fragment="", screenshot=None):
    """The document as it is once its script has run, and what the script complained about."""
    with tempfile.TemporaryDirectory(prefix="memwatch-browser-") as profile:
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   f"--user-data-dir={profile}", "--enable-logging=stderr",
                   "--window-size=1220,700"]
        command.append(f"--screenshot={screenshot}" if screenshot else "--dump-dom")
        done = subprocess.run([*command, f"{pathlib.Path(path).as_uri()}{fragment}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, complaints


def picture_of(document):
    """The picture in a document, parsed."""
    start, end = document.index("<svg"), document.rindex("</svg>") + len("</svg>")
    return xml.etree.ElementTree.fromstring(document[start:end])


def frames_of(picture):
    return [group for group in picture.iter(f"{SVG}g") if "frame" in group.get("class").split()]


def is_shown(frame):
    return "none" not in (frame.get("style") or "")


def width_of(frame):
    return float(frame.find(f"{SVG}rect").get("width"))
