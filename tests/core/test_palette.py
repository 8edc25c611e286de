"""Cluster colours: distinct for everybody, readable, true to colour words."""

from itertools import combinations

import numpy as np
import pytest

from esmc_core.palette import (
    PALETTE,
    PAPERS,
    cluster_colours,
    contrast,
    named_colour,
    outline,
    text_on,
)

# Machado, Oliveira and Fernandes (2009), full severity, on linear sRGB.
VISION = {
    "all": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def seen(colour, matrix):
    """CIE Lab of a colour as somebody sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(to_xyz @ linear / np.array([0.9505, 1.0, 1.089]) + 1e-9)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(("n_colours", "distance"), [(12, 12), (40, 5)])
def test_palette_colours_differ_for_everybody(vision, n_colours, distance):
    labs = [seen(colour, VISION[vision]) for colour in PALETTE[:n_colours]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(labs, 2)) > distance


@pytest.mark.parametrize("n_clusters", [1, 8, 40, 120])
def test_no_two_clusters_share_a_colour(n_clusters):
    colours = cluster_colours([f"thing {i}" for i in range(n_clusters)])
    assert len(set(colours)) == n_clusters


def test_colour_words_are_worn_and_others_take_what_is_left():
    colours = cluster_colours(["car", "Red", "orange", "truck"])
    assert colours[1:3] == [named_colour("red"), named_colour("orange")]
    assert colours[0] == PALETTE[0]
    # The palette's own orange would be taken for the word's.
    assert PALETTE[1] not in colours


def test_clusters_of_the_same_colour_word_wear_shades_of_it():
    colours = cluster_colours(["red", "red 2", "dark red", "Red 3"])
    assert len(set(colours)) == 4
    for colour in colours:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        assert red > 1.5 * max(green, blue)


def test_many_clusters_of_one_word_still_differ():
    assert len(set(cluster_colours([f"red {i}" for i in range(30)]))) == 30


@pytest.mark.parametrize(
    ("name", "same_as"),
    [("Grey", "gray"), ("red 2", "red"), ("very black", "black"), ("Navy", "navy")],
)
def test_colour_words_are_recognised(name, same_as):
    assert named_colour(name) == named_colour(same_as) is not None


@pytest.mark.parametrize("name", ["car", "", "cluster 3", "…ish", "the red of the big car", "42"])
def test_other_names_are_no_colours(name):
    assert named_colour(name) is None


def test_two_words_of_css_are_one_colour():
    assert named_colour("light blue") == "#add8e6"


@pytest.mark.parametrize("colour", [*PALETTE, "#ffffff", "#1c1c1e", "#f0c419"])
def test_every_colour_or_its_outline_stands_out_from_both_papers(colour):
    assert all(contrast(outline(colour), paper) >= 3 for paper in PAPERS)


@pytest.mark.parametrize("colour", [*PALETTE, "#ffffff", "#000000", "#7b7f83"])
def test_text_on_a_colour_can_be_read(colour):
    assert contrast(colour, text_on(colour)) >= 4.5


def test_contrast_is_the_one_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_colours_are_the_same_every_time_and_renaming_one_keeps_the_rest():
    names = ["car", "dog", "tree"]
    assert cluster_colours(names) == cluster_colours(list(names))
    assert cluster_colours(["car", "dog", "oak"]) == cluster_colours(names)
