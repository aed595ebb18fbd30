"""The report: one file, nothing loaded from elsewhere, names from the data escaped."""

import dataclasses
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fpsynth.errors import UserError
from fpsynth.extractor.mindtct import available
from fpsynth.inspect.look import Options, inspect_path
from fpsynth.inspect.measure.dataset import Depth, measure_dataset
from fpsynth.inspect.report.pairs import best_non_mated, worst_mated
from tests.inspect.population import build

pytest.importorskip("matplotlib")


class Links(HTMLParser):
    """Everything that a browser would fetch, what pictures say, and whether the tags are in balance."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "img":
            self.alts.append(dict(attrs)["alt"])
        if tag not in ("meta", "link", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "judges", [False, pytest.param(True, marks=pytest.mark.skipif(not available(), reason="nbis"))]
)
def test_report_is_self_contained(tmp_path: Path, judges: bool) -> None:
    root = build(tmp_path / "o", lambda rows: [dataclasses.replace(r, prompt="x") for r in rows], sidecars=())
    out = tmp_path / "r.html"
    inspect_path(root, Options(judges=judges, cache=False, workers=1, html=out))
    text, page = out.read_text(), Links()
    page.feed(text)
    assert not page.open and all(link.startswith("data:") for link in page.links)
    assert not re.search(r"<script|url\(", text)
    assert text.count("data:image/jpeg") >= 15 + 12 and "left_loop" in text
    assert (
        ("NFIQ2" in text) is judges
        and "equal error rate" in text
        and text.count("data:image/svg") >= (9 if judges else 5)
    )
    assert len(page.alts) > 40 and all(page.alts), "pictures and charts say what they show"
    assert "One finger, lowest scores" in text and "Two fingers, highest scores" in text
    assert len(text) < 5_000_000


def test_the_pairs_that_are_shown_are_the_worst_ones(tmp_path: Path) -> None:
    look = measure_dataset(build(tmp_path / "o", sidecars=()), Depth(judges=False, workers=1, cache=False))
    assert look.scores is not None
    low, high = worst_mated(look, 3), best_non_mated(look, 3)
    assert low[0].score == look.scores.mated.min() and high[0].score == look.scores.non_mated.max()
    assert all(pair.one.identity == pair.other.identity for pair in low)
    assert all(pair.one.identity != pair.other.identity for pair in high)
    assert len({pair.one.identity for pair in low}) == len(low), "one a finger"
    assert [pair.score for pair in low] == sorted(pair.score for pair in low)
    assert [pair.score for pair in high] == sorted((pair.score for pair in high), reverse=True)


def test_report_names_our_own_extractor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpsynth.extractor.mindtct.missing", lambda: "not wanted")
    out = tmp_path / "r.html"
    inspect_path(build(tmp_path / "o", sidecars=()), Options(cache=False, workers=1, html=out))
    text = unescape(out.read_text())
    assert "true, and found by fpsynth's own extractor" in text and "fpsynth's own extractor (not NIST's)" in text
    assert "mindtct" not in text and "NFIQ2 and bozorth3 are left out" in text


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def opened(page: Path, profile: Path) -> str:
    """What a browser without a screen logs when it opens the page; it is given no network."""
    quiet = ("disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update")
    flags = [f"--{flag}" for flag in ("headless", "no-sandbox", *quiet, "disable-sync", "dump-dom")]
    more = [f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND"]
    run = subprocess.run([str(BROWSER), *flags, *more, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert "</html>" in run.stdout
    return run.stderr


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_opens_the_report_without_an_error(tmp_path: Path) -> None:
    inspect_path(build(tmp_path / "o", sidecars=()), Options(cache=False, workers=1, html=tmp_path / "r.html"))
    assert "CONSOLE" not in opened(tmp_path / "r.html", tmp_path / "a")
    (tmp_path / "broken.html").write_text("<script>missing()</script><img src='https://example.org/x.png'>")
    assert opened(tmp_path / "broken.html", tmp_path / "b").count("CONSOLE") >= 1  # the check itself sees an error


def test_names_are_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "<b>&"
    build(folder, sidecars=())
    (folder / "manifest.json").unlink()
    inspect_path(folder, Options(judges=False, cache=False, workers=1, html=tmp_path / "r.html"))
    text = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;&amp;" in text and "<b>&" not in text


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    build(tmp_path / "o", sidecars=())
    with pytest.raises(UserError, match="extra 'report'"):
        inspect_path(tmp_path / "o", Options(judges=False, cache=False, workers=1, html=tmp_path / "r.html"))
    assert not (tmp_path / "r.html").exists()
