"""A page in headless Chromium: what a reader would see go wrong, on a screen and in print."""

import html
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server")

# Each page stands in frames of the widths asked for; the answers replace the page they are in.
_LOOK = """
const found = {};
function look(frame) {
  const page = frame.contentDocument, root = page.documentElement, mistakes = [];
  const wide = root.scrollWidth - root.clientWidth;
  if (wide > 0) mistakes.push(`the page is ${wide} px wider than its window`);
  for (const own of page.querySelectorAll("h1, h2, h3, p, li, td, th, dt, dd, pre, figcaption")) {
    const box = own.getBoundingClientRect();
    if (own.clientWidth && own.scrollWidth > own.clientWidth + 1)
      mistakes.push(`cut: <${own.localName}> ${own.textContent.slice(0, 60)}`);
    if (!own.closest(".scroll") && box.right > root.clientWidth + 1)
      mistakes.push(`beyond the window: <${own.localName}> ${own.textContent.slice(0, 60)}`);
  }
  const texts = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT), range = page.createRange();
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (text.parentElement.closest("pre, code, style, script")) continue;
    for (const word of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(own => Math.round(own.top)));
      if (lines.size > 1) mistakes.push(`broken: ${word[0]} in ${text.data.trim().slice(0, 60)}`);
    }
  }
  found[frame.title] = mistakes;
}
addEventListener("load", () => {
  document.querySelectorAll("iframe").forEach(look);
  document.body.textContent = JSON.stringify(found);
});
"""


def mistakes(
    chromium: str, pages: Mapping[str, Path], widths: Sequence[int], folder: Path
) -> dict[str, list[str]]:
    """Return what is wrong with each page at each width; raise what it says to the console."""
    frames = "".join(
        f'<iframe title="{name} at {width}" width={width} height=900 style="border:0" '
        f'srcdoc="{html.escape(path.read_text(encoding="utf-8"))}"></iframe>'
        for name, path in pages.items()
        for width in widths
    )
    host = folder / "host.html"
    host.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><body>{frames}<script>{_LOOK}</script></body>',
        encoding="utf-8",
    )
    options = ["--dump-dom", "--enable-logging=stderr", "--virtual-time-budget=5000"]
    done = _run(chromium, [*options, "--window-size=2000,1000", host.as_uri()], folder)
    said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    assert not said, said
    (text,) = re.findall(r"<body>(.*)</body>", done.stdout, re.DOTALL)
    found: dict[str, list[str]] = json.loads(html.unescape(text))
    assert len(found) == len(pages) * len(widths)
    return found


def sheets(chromium: str, page: Path, folder: Path) -> int:
    """Return on how many sheets a page is printed."""
    printed = folder / "printed.pdf"
    options = [f"--print-to-pdf={printed}", "--no-pdf-header-footer"]
    _run(chromium, [*options, page.as_uri()], folder)
    return len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))


def _run(
    chromium: str, arguments: Sequence[str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    profile = f"--user-data-dir={folder / 'profile'}"
    return subprocess.run(
        [chromium, *_OPTIONS, profile, *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
