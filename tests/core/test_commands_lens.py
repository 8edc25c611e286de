"""`lens`: the heatmap as JSON and as a page."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from esmc_core.target import make_heatmap
from tests.command_line import lens, only_pass
from tests.conftest import CRITERION, N_PHOTOS


def test_heatmap_as_json(colour_photos, tiny_llava, home, tmp_path):
    out = tmp_path / "heatmap.json"
    assert lens(colour_photos, out, "--model", tiny_llava, "--score", "confidence") == 0
    store = only_pass(home)
    spec = store.spec
    record = json.loads(out.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert set(record) == {
        *("criterion", "model", "lens", "score", "unit", "n_images", "n_layers", "n_positions"),
        *("tokens", "n_criterion", "values", "suggested", "is_flat", "top_tokens"),
    }
    values = np.array(record["values"])
    assert values.shape == (spec.n_layers + 1, spec.n_positions)
    expected = make_heatmap(store, score="confidence")
    assert np.allclose(values, expected.values, atol=1e-6)
    assert tuple(record["suggested"].values()) == expected.suggested
    assert list(record["suggested"]) == ["layer", "position"]
    assert (record["unit"], record["n_images"]) == ("probability", N_PHOTOS)
    assert record["tokens"] == list(spec.token_texts)
    assert 0 < record["n_criterion"] < record["n_positions"] == len(record["tokens"])
    assert [len(row) for row in record["top_tokens"]] == [spec.n_positions] * (spec.n_layers + 1)
    for text, share in record["top_tokens"][2][3]:
        assert isinstance(text, str) and 0 <= share <= 1


class Page(HTMLParser):
    """The tags of a page, and what its style sheets say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "style":
            self.style += data

    @property
    def elsewhere(self) -> list[str]:
        """Addresses on other hosts that a browser would ask."""
        links = [
            tag.get(name) or ""
            for _, tag in self.tags
            for name in ("src", "href", "srcset", "data", "action", "poster")
        ]
        links += re.findall(r"url\(\s*[\"']?([^\"')]+)", self.style)
        links += re.findall(r"@import\s*[\"']([^\"']+)", self.style)
        return [link for link in links if re.match(r"\s*(https?:)?//", link)]


def test_a_page_that_asks_another_host_is_told():
    assert Page('<script src="https://cdn.plot.ly/plotly.js"></script>').elsewhere
    assert Page('<style>@import url("//fonts.example/a.css");</style>').elsewhere
    assert not Page('<script>fetch("https://cdn.plot.ly")</script><a href="#top">').elsewhere


def test_heatmap_as_a_page_that_needs_no_network(colour_photos, tiny_llava, home, tmp_path):
    odd = "the <i>color</i> </script><script>alert(1)</script> is"
    texts = []
    for number, criterion in enumerate([CRITERION, odd, odd]):
        out = tmp_path / f"{number}.html"
        assert lens(colour_photos, out, "--model", tiny_llava, criterion=criterion) == 0
        texts.append(out.read_text(encoding="utf-8"))
    plain, with_tags = (Page(text) for text in texts[:2])
    assert plain.elsewhere == []
    assert CRITERION in texts[0] and re.search(r"★|\\u2605", texts[0])
    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in with_tags.tags]
    assert texts[1] == texts[2], "the same heatmap is the same bytes"
