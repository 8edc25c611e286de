"""The bundled model's training, end to end on pictures made here."""

import io
import json
import random
import re
import tarfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from esmc_core.errors import InputError
from esmc_core.train import augment, cards, questions, sources
from esmc_core.train.__main__ import main
from esmc_core.train.architecture import GRID, IMAGE_SIZE, Shape, build_model, packed_forward
from esmc_core.train.batches import BatchMaker, Packer
from esmc_core.train.cards import RANKS, SUITS, draw_records
from esmc_core.train.colours import (
    NAMES,
    PROTOTYPES,
    border_colour,
    centre_colour,
    colour_region,
    name_pixels,
)
from esmc_core.train.data import (
    SIDE,
    Dataset,
    KnownPictures,
    Record,
    build_dataset,
    coloured_part,
    cut_out,
    know_pictures,
    label_pixels,
    plain_colours,
)
from esmc_core.train.export import averaged_model, export_model
from esmc_core.train.launch import load_tokenizer
from esmc_core.train.loop import Run, Settings, exported_values, floats
from esmc_core.train.mix import held_out, log_losses, mixed
from esmc_core.train.optimizer import orthogonalise
from esmc_core.train.questions import Question
from esmc_core.train.samples import plan
from esmc_core.train.scenes import BACKGROUNDS, COLOURS, SHAPES, draw_still, render
from esmc_core.train.stills import render_records
from esmc_core.train.tokenizer import PROMPT, answer_id
from esmc_core.train.vocabulary import answer_words, build_tokenizer, question_words

TINY = Shape(
    widths=(16, 16, 32),
    depths=(1, 1, 1),
    heads=(1, 1, 2),
    d_model=32,
    n_layers=2,
    n_heads=2,
    d_mlp=48,
)
NO_PICTURES = know_pictures(None)


def picture_bytes(colour, *, seed, side=40):
    """A blot of a colour on noise, as PNG."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 200, (side, side, 3), dtype=np.uint8)
    pixels[10:30, 10:30] = colour
    return png(pixels)


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def write_tar(folder, name, rows, pictures):
    """A training set: labels.csv and pictures in one folder of a tar."""
    header = ",".join(rows[0])
    table = "\n".join([header, *(",".join(row.values()) for row in rows)]).encode()
    with tarfile.open(folder / f"{name}.tar", "w") as tar:
        for file, content in {"labels.csv": table, **pictures}.items():
            info = tarfile.TarInfo(f"{name}/{file}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    """Forty cars of two colours and twenty products on white."""
    folder = tmp_path_factory.mktemp("tars")
    paints = {"red": (200, 20, 30), "blue": (30, 80, 190)}
    rows, pictures = [], {}
    for i in range(40):
        colour = list(paints)[i % 2]
        rows.append({"file": f"{i}.png", "colour": colour, "kind": "car"})
        pictures[f"{i}.png"] = picture_bytes(paints[colour], seed=i)
    write_tar(folder, "car_colours", rows, pictures)
    rows, pictures = [], {}
    for i in range(20):
        shop = {"type": "Shirts", "colour": "Red", "category": "Apparel", "subcategory": "x"}
        rows.append({"file": f"{i}.png", **shop, "gender": "Men", "usage": "Casual"})
        product = np.full((60, 60, 3), 255, np.uint8)
        product[12 : 40 + i % 5, 15:45] = (190, 20 + i, 30)
        pictures[f"{i}.png"] = png(product)
    write_tar(folder, "fashion", rows, pictures)
    return folder


@pytest.fixture(scope="module")
def data(tars):
    return build_dataset(tars, avoid=NO_PICTURES, extra=render_records(3, seed=5))


@pytest.fixture(scope="module")
def tokenizer(data):
    return build_tokenizer(data, n_vocab=TINY.n_vocab)


def tiny_model(tokenizer):
    torch.manual_seed(3)
    ids = {
        f"{k}_token_id": tokenizer.token_to_id(t)
        for k, t in (("image", "<image>"), ("pad", "<pad>"))
    }
    return build_model(TINY, **ids).eval()


def test_every_prototype_gets_its_own_name():
    for name, values in PROTOTYPES.items():
        named = name_pixels(np.array(values) / 255)
        assert [NAMES[i] for i in named] == [name] * len(values)


def test_centre_and_border_colours_are_told_apart():
    rgb = np.ones((40, 40, 3), np.float32) * np.array([0.98, 0.98, 0.98], np.float32)
    rgb[8:32, 8:32] = np.array([200, 20, 30]) / 255
    assert centre_colour(rgb) == "red"
    assert border_colour(rgb) == "white"
    assert centre_colour(np.ones((40, 40, 3), np.float32)) is None, "nothing stands in the middle"


def test_cut_out_finds_the_product_and_refuses_a_full_picture():
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[30:80, 40:70] = (20, 40, 160)
    picture[50:55, 50:55] = 255  # white inside the product belongs to it
    mask = cut_out(picture)
    assert mask[55, 55] == 255 and mask[52, 52] == 255 and mask[5, 5] == 0
    assert cut_out(np.full((SIDE, SIDE, 3), 90, np.uint8)) is None


def test_near_duplicates_of_known_pictures_are_left_out(tars, tmp_path):
    copied = Image.open(io.BytesIO(picture_bytes((200, 20, 30), seed=0))).resize((80, 80))
    copied.save(tmp_path / "copy.jpg", quality=85)
    avoid = know_pictures(tmp_path)
    assert avoid.contain(copied)
    assert not avoid.contain(Image.open(io.BytesIO(picture_bytes((30, 80, 190), seed=1))))
    everything = build_dataset(tars, avoid=NO_PICTURES, extra=[])
    assert len(build_dataset(tars, avoid=avoid, extra=[]).records) == len(everything.records) - 1


def test_an_empty_known_folder_contains_nothing():
    empty = KnownPictures(np.zeros(0, np.uint64), np.zeros((0, 16, 16, 3), np.int16))
    assert not empty.contain(Image.new("RGB", (9, 9)))


def test_unknown_and_missing_sets_are_named(tmp_path):
    with pytest.raises(InputError, match="No training set"):
        build_dataset(tmp_path, avoid=NO_PICTURES, extra=[])
    write_tar(tmp_path, "mystery", [{"file": "a.png"}], {})
    with pytest.raises(InputError, match="mystery is unknown"):
        build_dataset(tmp_path, avoid=NO_PICTURES, extra=[])


def test_a_flower_has_the_colour_of_its_petals_where_they_are_seen(tmp_path):
    daisy = np.full((SIDE, SIDE, 3), (30, 90, 40), np.uint8)
    daisy[30:80, 30:80] = 245
    daisy[45:65, 45:65] = (240, 200, 30)
    field = np.full((SIDE, SIDE, 3), (30, 90, 40), np.uint8)
    rows = [{"file": f"{name}.png", "species": "daisy"} for name in ("near", "far")]
    pictures = {"near.png": png(daisy), "far.png": png(field)}
    write_tar(tmp_path, "flowers", rows, pictures)
    records = build_dataset(tmp_path, avoid=NO_PICTURES, extra=[]).records
    assert [record.labels.get("color") for record in records] == ["white", None]
    assert [record.region >= 0 for record in records] == [True, False]


def test_captions_give_a_colour_only_where_they_agree():
    assert sources.caption_colour("The object is a small blue airplane.", "airplane") == "blue"
    assert sources.caption_colour("A grey sedan on a red road", "car") == "gray"
    assert sources.caption_colour("a red car beside a blue car", "car") is None


def test_all_words_are_single_tokens_and_any_text_comes_back(data, tokenizer):
    for word in answer_words(data.records):
        assert answer_id(tokenizer, word) != answer_id(tokenizer, "unknown") or word == "unknown"
    for word in question_words(data.records):
        for text in (word, word.capitalize(), f" {word}"):
            assert len(tokenizer.encode(text, add_special_tokens=False).ids) == 1
    text = "Was für ein 🦓 zebra?\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text.lower()


def test_capital_letters_make_no_difference_but_in_the_template(tokenizer):
    def ids(question):
        return tokenizer.encode(PROMPT.format(question=question)).ids

    assert ids("The Color Of The Car Is") == ids("the color of the car is")
    assert ids("WHAT COLOR IS IT?") == ids("what color is it?")
    assert tokenizer.decode(ids("Color")).split() == ["USER:", "color", "ASSISTANT:"]


def test_a_vocabulary_too_small_for_its_words_is_refused(data):
    with pytest.raises(ValueError, match="the vocabulary has 300"):
        build_tokenizer(data, n_vocab=300)


def test_questions_carry_weights_that_sum_to_one():
    rng = random.Random(0)
    for _ in range(200):
        question = questions.ask_known({"color": "silver", "type": "car"}, ["car"], rng)
        assert sum(question.answer.values()) == pytest.approx(1)
        assert "{" not in question.text
    assert questions.ask_unknown(["car"], rng).answer == {"unknown": 1.0}


def test_packed_forward_equals_the_stock_one(tokenizer):
    """Several questions behind one picture give what each gives alone."""
    model = tiny_model(tokenizer)
    texts = [["the color of the car is", "color"], ["what is the mood of the philosopher?"]]
    asked = [[Question(t, "color", {"red": 1.0}) for t in row] for row in texts]
    packed, reads = Packer(tokenizer).pack(asked)
    pixels = torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE)
    with torch.no_grad():
        logits, _ = packed_forward(model, pixels, packed)
        row = 0
        for picture, questions_of in enumerate(texts):
            for text in questions_of:
                prompt = PROMPT.format(question=text).replace("<image>", "<image>" * GRID**2)
                ids = torch.tensor([tokenizer.encode(prompt).ids])
                alone = model(input_ids=ids, pixel_values=pixels[picture : picture + 1]).logits[0]
                torch.testing.assert_close(logits[reads.first[row]], alone[-1])
                torch.testing.assert_close(logits[reads.first[row] + 1], alone[-3])
                row += 1


def test_batches_repeat_and_differ_by_step(data, tokenizer):
    maker = BatchMaker(data, tokenizer, seed=1)
    first, again, other = (maker.make(step, rank=0, n_images=6) for step in (4, 4, 5))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1].input_ids, again[1].input_ids)
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (6, 3, IMAGE_SIZE, IMAGE_SIZE)


def test_recoloured_products_get_the_colour_they_are_asked_for():
    product, whole = torch.rand(1, 3, 20, 20) * 0.3 + 0.3, torch.ones(1, 1, 20, 20)
    blue = torch.tensor([[0.12, 0.31, 0.75]])
    painted = augment.tint(
        product, whole, blue, depth=torch.tensor([0.5]), mirrored=torch.zeros(1, 3)
    )
    named = name_pixels(painted[0].permute(1, 2, 0).numpy())
    assert np.mean(named == NAMES.index("blue")) > 0.9


def test_a_flower_gets_another_colour_where_it_stands():
    """Petals take the new colour with their shading; heart, leaves and background stay."""
    flower = np.full((SIDE, SIDE, 3), (40, 120, 50), np.float32) / 255
    flower[30:80, 30:80] = np.array((240, 130, 180)) / 255
    flower[40:50, 30:80] *= 0.8
    flower[52:58, 52:58] = np.array((248, 222, 40)) / 255
    region = colour_region(flower, "pink")
    assert region[35, 35] == 255 and region[10, 10] == 0
    assert colour_region(flower, "purple", least=0.5) is None
    assert colour_region(flower, "black") is None
    picture = torch.from_numpy(flower).permute(2, 0, 1)[None]
    mask = torch.from_numpy(region)[None, None].float() / 255
    purple = torch.tensor([[0.43, 0.2, 0.59]])
    tinted = augment.tint(
        picture, mask, purple, depth=torch.tensor([0.5]), mirrored=torch.zeros(1, 3)
    )
    named = name_pixels(tinted[0].permute(1, 2, 0).numpy())
    assert NAMES[named[35, 35]] == NAMES[named[45, 35]] == "purple"
    assert tinted[0, :, 45, 35].sum() < tinted[0, :, 35, 35].sum()
    assert torch.equal(tinted[:, :, :20], picture[:, :, :20])


def test_a_car_gets_another_paint_and_keeps_what_it_mirrors():
    car = np.full((SIDE, SIDE, 3), (90, 90, 90), np.uint8)
    car[30:80, 20:90] = (190, 25, 30)
    car[32:36, 20:90] = (250, 170, 172)  # the sky in the bonnet
    record = Record("car_colours", {"color": "red"}, ["car"], False)
    mask = coloured_part(car, record)
    assert mask[60, 50] == 255 and mask[10, 10] == 0
    record.labels["color"] = "black"
    assert coloured_part(car, record) is None, "black paint is not told from shadows and tyres"
    picture = augment.to_unit(torch.from_numpy(car[None]))
    black = torch.tensor([[0.05, 0.05, 0.05]])
    part = torch.from_numpy(mask)[None, None].float() / 255
    depth = torch.tensor([0.5])
    dull, glossy, sky = (
        augment.tint(picture, part, black, depth=depth, mirrored=torch.tensor([light]))
        for light in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.7, 0.9, 1.2))
    )
    named = name_pixels(glossy[0].permute(1, 2, 0).numpy())
    assert NAMES[named[60, 50]] == "black" and glossy[0, :, 34, 50].min() > 0.4
    assert dull[0, :, 34, 50].max() < 0.2
    assert sky[0, 2, 34, 50] > glossy[0, 2, 34, 50] > sky[0, 0, 34, 50], "a blue sky"
    assert torch.equal(glossy[:, :, :20], picture[:, :, :20])


def test_cars_and_products_are_shown_in_other_colours_where_they_stand(tokenizer):
    stored = np.full((3, SIDE, SIDE, 3), 120, np.uint8)
    masks = np.full((4, SIDE, SIDE), 255, np.uint8)
    records = [
        Record("car_colours", {"color": "red"}, ["car"], False, region=0, cut_out=2),
        Record("car_colours", {"color": "silver"}, ["car"], False, cut_out=3),
        Record("fashion", {"color": "navy"}, ["shirt"], False, cut_out=1),
    ]
    maker = BatchMaker(Dataset(stored, masks, records), tokenizer, seed=0)
    rng = random.Random(0)
    draws = [maker.draw(rng) for _ in range(900)]
    recoloured = {
        i: [d for d in draws if d.index == i and d.part >= 0 and "color" in d.labels]
        for i in range(3)
    }
    assert not recoloured[1], "silver paint is not found in the picture"
    assert {d.part for d in recoloured[0]} == {0} and {d.part for d in recoloured[2]} == {1}
    on_photographs = [d for d in draws if d.index == 1 and d.pasted]
    assert {d.labels["color"] for d in on_photographs} == {"silver"}, "its own paint"
    grays = sum(d.labels["color"] in ("white", "silver", "gray", "black") for d in recoloured[0])
    assert 0.5 < grays / len(recoloured[0]) < 0.8
    shown = maker.show(recoloured[2][:4], rng, torch.Generator().manual_seed(0))
    assert torch.isfinite(shown).all() and shown.shape[0] == 4


def test_letters_and_digits_are_never_mirrored():
    generator = torch.Generator().manual_seed(0)
    readable = torch.arange(200) % 2 == 0
    maps = augment.draw_affine(200, ranges=augment.Ranges(), generator=generator, readable=readable)
    mirrored = torch.linalg.det(maps[:, :, :2]) < 0
    assert not mirrored[readable].any()
    assert 0.3 < mirrored[~readable].float().mean() < 0.7
    assert 0.3 < (maps[readable][:, 0, 0] < 0).float().mean() < 0.7, "turned by half instead"


def test_some_cards_show_another_middle_between_their_own_corners(tokenizer):
    stored = np.stack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (40, 200)])
    labels = {"rank": "ten", "suit": "hearts", "color": "red"}
    records = [Record("cards", labels, ["card"], False), Record("scenes", {}, ["place"], False)]
    maker = BatchMaker(Dataset(stored, stored[:0, ..., 0], records), tokenizer, seed=0)
    rng = random.Random(0)
    draws = [draw for draw in (maker.draw(rng) for _ in range(400)) if draw.index == 0]
    swapped = [draw for draw in draws if draw.middle >= 0]
    assert 0.4 < len(swapped) / len(draws) < 0.6
    assert {draw.middle for draw in swapped} == {0, 1}, "of other cards, and of photographs"
    assert all(draw.labels["rank"] == "ten" for draw in swapped)
    own, other = (augment.to_unit(torch.from_numpy(stored[[i]])) for i in (0, 1))
    shown = augment.swap_middle(own, other, margins=(0.25, 0.125))[0, 0]
    assert (shown[SIDE // 8 : -SIDE // 8, SIDE // 4 : -SIDE // 4] == other[0, 0, 0, 0]).all()
    assert (shown == own[0, 0, 0, 0]).float().mean() == 1 - 0.5 * 0.75


def test_drawn_cards_read_the_same_from_both_ends_and_repeat_by_seed():
    drawn = draw_records(52, seed=4)
    again = draw_records(52, seed=4)
    assert all(np.array_equal(one[0], two[0]) for one, two in zip(drawn, again, strict=True))
    assert Counter(record.labels["rank"] for _, record in drawn) == dict.fromkeys(RANKS, 4)
    corner = (slice(0, SIDE // 2), slice(0, SIDE // 6))
    inks = {"red": [], "black": []}
    for picture, record in drawn:
        assert picture.shape == (SIDE, SIDE, 3)
        assert record.labels["color"] == SUITS[record.labels["suit"]]
        own, other = picture[corner], picture[::-1, ::-1][corner]
        np.testing.assert_array_equal(own, other)
        away = np.abs(own.astype(int) - picture[0, 0]).sum(-1)
        assert away.max() > 200, "a rank stands in the corner"
        inks[record.labels["color"]].append(own.reshape(-1, 3)[away.argmax()].astype(int))
    assert all(red - green > 100 for red, green, _ in inks["red"])
    assert all(abs(red - green) < 40 for red, green, _ in inks["black"])


def test_ranks_stand_in_many_shapes_and_fill_their_place():
    rng = random.Random(0)
    shapes = [np.asarray(cards._glyph("4", 20, 30, rng)) for _ in range(60)]
    assert len({shape.tobytes() for shape in shapes}) > 20
    for shape in shapes:
        assert shape.shape == (30, 20)
        assert shape[:, [0, -1]].max() > 0 and shape[[0, -1]].max() > 0


def test_flowers_are_known_by_their_form_in_turned_colours(tokenizer):
    stored = np.random.default_rng(0).integers(60, 190, (1, SIDE, SIDE, 3), dtype=np.uint8)
    labels = {"species": "tulip", "color": "red", "background": "green"}
    records = [Record("flowers", labels, ["flower"], False)]
    maker = BatchMaker(Dataset(stored, stored[:0, ..., 0], records), tokenizer, seed=0)
    rng = random.Random(0)
    draws = [maker.draw(rng) for _ in range(400)]
    turned = [draw for draw in draws if draw.hue]
    assert 0.35 < len(turned) / len(draws) < 0.55
    assert all(draw.labels["species"] == "tulip" for draw in turned)
    assert not any("color" in d.labels or "background" in d.labels for d in turned)
    assert all(d.labels["color"] == "red" for d in draws if not d.hue and not d.gray)
    picture = augment.to_unit(torch.from_numpy(stored)).repeat(2, 1, 1, 1) * 0.5 + 0.2
    third = augment.turn_hues(picture, torch.tensor([0.0, 2 * torch.pi / 3]))
    torch.testing.assert_close(third[0], picture[0])
    torch.testing.assert_close(third[1], picture[1].roll(1, 0))
    gray = picture.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(augment.turn_hues(gray, torch.tensor([1.0, 4.0])), gray)


def test_rare_colours_of_a_kind_of_thing_are_drawn_more_often(tokenizer):
    looks = [("shoe", "black")] * 16 + [("shoe", "green")] + [("shirt", "green")] * 16
    stored = np.zeros((len(looks), SIDE, SIDE, 3), np.uint8)
    records = [
        Record("fashion", {"type": type_, "color": color}, ["item"], False)
        for type_, color in looks
    ]
    maker = BatchMaker(Dataset(stored, stored[:0, ..., 0], records), tokenizer, seed=0)
    shares = np.diff([0, *maker.shares["fashion"]])
    np.testing.assert_allclose(shares / shares[0], [1.0] * 16 + [4.0] + [1.0] * 16)


def test_light_and_sharpness_change_pictures_smoothly():
    generator = torch.Generator().manual_seed(0)
    plain = torch.full((4, 3, 40, 40), 0.5)
    lit = augment.uneven_light(plain, spread=0.2, generator=generator)
    assert lit.std() > 0.02 and (lit[:, :, 1:] - lit[:, :, :-1]).abs().max() < 0.05
    same = augment.change_sharpness(plain, most=1.0, generator=generator)
    torch.testing.assert_close(same, plain)
    edge = plain.clone()
    edge[:, :, :, 20:] = 0.7
    steps = augment.change_sharpness(edge, most=1.0, generator=generator)
    step = (steps[..., 20] - steps[..., 19]).mean((1, 2))
    assert (step > 0.2).any() and (step < 0.2).any(), "some sharper, some softer"


def test_a_run_begins_from_an_exported_model(data, tokenizer, tmp_path):
    export_model(tiny_model(tokenizer), tokenizer, tmp_path)
    run = Run(Settings(minutes=0, steps=5, batch=4, shape=TINY), data, tokenizer)
    run.begin_from(tmp_path)
    expected = dict(tiny_model(tokenizer).half().float().named_parameters())
    for name, value in run.model.named_parameters():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)
        torch.testing.assert_close(run.average[name], expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrix).double())
    assert values.min() > 0.6 and values.max() < 1.3
    turned = torch.linalg.svd(matrix.double(), full_matrices=False)
    share = (orthogonalise(matrix).double() * (turned.U @ turned.Vh)).sum() / min(shape)
    assert share > 0.6, "the same directions"


def test_resume_gives_the_same_weights(data, tokenizer, tmp_path):
    settings = Settings(minutes=0, steps=6, batch=4, warm_up=2, shape=TINY)
    whole = Run(settings, data, tokenizer)
    for _ in range(4):
        whole.train_step()
    part = Run(settings, data, tokenizer)
    part.train_step()
    part.train_step()
    part.save(tmp_path)
    resumed = Run(settings, data, tokenizer)
    resumed.load(tmp_path)
    resumed.train_step()
    resumed.train_step()
    assert resumed.step == 4
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    torch.testing.assert_close(whole.average, resumed.average, rtol=0, atol=0)


@pytest.mark.parametrize("tower_share", [0.0, 1.0])
def test_the_loss_falls(data, tokenizer, tower_share):
    """Of tower and decoder together, and of the tower alone, which leaves the decoder as it is."""
    settings = Settings(
        minutes=0, steps=1000, batch=8, warm_up=2, tower_share=tower_share, shape=TINY
    )
    run = Run(settings, data, tokenizer)
    decoder = [p.clone() for p in run.model.model.language_model.parameters()]
    losses = [run.train_step() for _ in range(25)]
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.4
    now = run.model.model.language_model.parameters()
    assert (tower_share == 1) == all(map(torch.equal, decoder, now))


def test_exported_folder_loads_with_stock_classes(data, tokenizer, tmp_path):
    from transformers import (
        AutoImageProcessor,
        AutoProcessor,
        AutoTokenizer,
        LlavaForConditionalGeneration,
    )

    model = tiny_model(tokenizer)
    export_model(model, tokenizer, tmp_path)
    loaded = LlavaForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(tmp_path)
    picture = Image.fromarray(data.pictures[0]).resize((300, 170))
    inputs = processor(images=picture, text=PROMPT.format(question="color"), return_tensors="pt")
    squeezed = picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
    expected = augment.normalise(augment.to_unit(torch.from_numpy(np.array(squeezed))[None]))
    torch.testing.assert_close(inputs["pixel_values"], expected, rtol=0, atol=1e-5)
    packed, reads = Packer(tokenizer).pack([[Question("color", "color", {"red": 1.0})]])
    with torch.no_grad():
        stock = loaded(**inputs).logits[0, -1]
        logits, _ = packed_forward(loaded, expected, packed)
    torch.testing.assert_close(stock, logits[reads.first[0]])
    alone = AutoTokenizer.from_pretrained(tmp_path)
    assert alone("color").input_ids == tokenizer.encode("color").ids
    assert AutoImageProcessor.from_pretrained(tmp_path).size == {
        "height": IMAGE_SIZE,
        "width": IMAGE_SIZE,
    }
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "color"}]}]
    chat = processor.apply_chat_template(message, add_generation_prompt=True)
    assert chat == PROMPT.format(question="color")


def test_renderer_repeats_by_seed():
    first = render(draw_still(random.Random(3)), side=24)
    assert np.array_equal(first, render(draw_still(random.Random(3)), side=24))
    assert not np.array_equal(first, render(draw_still(random.Random(4)), side=24))
    assert first.shape == (24, 24, 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_toy_stands_before_its_paper(shape):
    still = draw_still(random.Random(1), shape=shape, color="purple", background="beige")
    named = name_pixels(render(still, side=48) / 255.0)
    toy = np.isin(named, [NAMES.index("purple")])
    assert 0.02 < toy.mean() < 0.5
    assert not toy[:4].any() and not toy[:, :3].any() and not toy[:, -3:].any()


def test_samples_are_balanced_and_never_on_their_own_colour():
    stills = plan(96, seed=7)
    for names, column in ((COLOURS, "color"), (SHAPES, "shape"), (BACKGROUNDS, "background")):
        counts = [sum(getattr(s, column) == name for s in stills) for name in names]
        assert max(counts) - min(counts) <= 1
    assert all(s.color != s.background for s in stills)


@pytest.mark.slow
def test_two_processes_train_together(tars, tmp_path):
    words = ["--data", str(tars), "--out", str(tmp_path / "run"), "--minutes", "0", "--batch", "4"]
    assert (
        main(
            [
                *words,
                "--still-lifes",
                "2",
                "--drawn-cards",
                "13",
                "--steps",
                "2",
                "--processes",
                "2",
            ]
        )
        == 0
    )
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 2


def test_the_command_trains_resumes_and_exports(tars, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--data", str(tars), "--out", str(run), "--minutes", "0", "--batch", "2"]
    words += ["--still-lifes", "2", "--drawn-cards", "13"]
    assert main([*words, "--steps", "1"]) == 0
    assert main([*words, "--steps", "2"]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert main([*words, "--steps", "2", "--resume"]) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 2 and "validation" in lines[-1]
    assert main(["export", "--run", str(run), "--out", str(tmp_path / "model")]) == 0
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < 30e6
    assert main(["export", "--run", str(tmp_path), "--out", str(tmp_path / "no")]) == 1


def test_mixed_weights_lie_between_those_before_and_the_mean_of_the_runs():
    before, runs = {"w": torch.tensor([0.0, 4.0])}, [{"w": torch.tensor([1.0, 4.0])}]
    runs.append({"w": torch.tensor([3.0, 8.0])})
    for share, expected in ((0.0, [0.0, 4.0]), (0.5, [1.0, 5.0]), (1.0, [2.0, 6.0])):
        torch.testing.assert_close(mixed(before, runs, share)["w"], torch.tensor(expected))


def test_mixtures_are_measured_on_pictures_that_were_kept_out(data, tokenizer):
    """And the loss is lower where the model says what is asked for."""
    kept_out = sum(record.validation for record in data.records)
    assert 0 < kept_out < len(data.records) / 2
    maker = BatchMaker(held_out(data), tokenizer, seed=0)
    draws, _ = maker.views(random.Random(0), n_images=40)
    assert all(data.records[draw.index].validation for draw in draws)
    settings = Settings(minutes=0, steps=1000, batch=8, warm_up=2, tower_share=0.0, shape=TINY)
    run = Run(settings, data, tokenizer)
    fresh = run.averaged_model()
    for _ in range(25):
        run.train_step()
    models = {0.0: fresh, 1.0: run.averaged_model()}
    losses = log_losses(models, data, tokenizer, n_views=128)
    assert losses[0.0].keys() == losses[1.0].keys() and "car_colours/color" in losses[0.0]
    assert all(losses[1.0][name] < losses[0.0][name] - 0.4 for name in losses[0.0])
    nothing = Dataset(data.pictures[:0], data.masks, [])
    with pytest.raises(InputError, match="kept out"):
        log_losses(models, nothing, tokenizer, n_views=64)


def test_the_command_mixes_and_writes_the_best(tars, tmp_path, capsys):
    start, run, out = tmp_path / "start", tmp_path / "run", tmp_path / "mixed"
    words = ["--data", str(tars), "--minutes", "0", "--batch", "2", "--steps", "1"]
    words += ["--still-lifes", "2", "--drawn-cards", "13"]
    assert main([*words, "--out", str(tmp_path / "first")]) == 0
    assert main(["export", "--run", str(tmp_path / "first"), "--out", str(start)]) == 0
    assert main([*words, "--out", str(run), "--start", str(start), "--seed", "1"]) == 0
    mixing = ["mix", "--start", str(start), "--run", str(run), str(run), "--out", str(out)]
    assert main([*mixing, "--views", "64"]) == 1
    assert "more views" in capsys.readouterr().err
    assert main([*mixing, "--views", "448", "--shares", "0", "0.5", "1"]) == 0
    printed = re.findall(r"share (\S+): logarithmic loss (\S+)", capsys.readouterr().out)
    figures = json.loads((out / "training.json").read_text())
    assert figures["log_loss"] == {str(float(share)): float(loss) for share, loss in printed}
    assert figures["share"] == float(min(printed, key=lambda line: float(line[1]))[0])
    assert figures["validation"].keys() >= {"car_colours/color"}
    after = floats(averaged_model(run, load_tokenizer(run)))
    expected = mixed(exported_values(start), [after], figures["share"])
    written = exported_values(out)
    for name, value in expected.items():
        torch.testing.assert_close(written[name], value, rtol=2e-3, atol=1e-5)
    assert main([*mixing, "--shares", "2"]) == 1
    assert "between 0 and 1" in capsys.readouterr().err
    mixing[4] = str(tmp_path / "none")
    assert main(mixing) == 1
    assert "No run in" in capsys.readouterr().err


def products(rgb: tuple[int, int, int], *, validation: bool = False, n: int = 8):
    """Plain products of a colour on white, called purple, with their mask."""
    stored = np.full((n, SIDE, SIDE, 3), 255, np.uint8)
    stored[:, 20:90, 20:90] = rgb
    mask = np.zeros((1, SIDE, SIDE), np.uint8)
    mask[:, 22:88, 22:88] = 255
    record = Record("fashion", {"color": "purple"}, ["shirt"], validation, cut_out=0)
    return stored, mask, [replace(record, labels={"color": "purple"}) for _ in range(n)]


def test_garments_get_the_colours_that_people_call_so(tokenizer):
    """A muted purple is gray to its pixels' nearest prototype."""
    muted = (120, 108, 122)
    assert NAMES[int(name_pixels(np.array(muted) / 255))] == "gray"
    stored, mask, records = products(muted)
    assert plain_colours(Dataset(stored, mask, records), "fashion") == {"purple": [muted] * 8}
    maker = BatchMaker(Dataset(stored, mask, records), tokenizer, seed=0)
    rng = random.Random(0)
    given = [draw for draw in (maker.draw(rng) for _ in range(400)) if draw.part >= 0]
    purple = [d.recolour for d in given if d.labels["color"] == "purple"]
    near = [c for c in purple if np.abs(np.array(c) * 255 - muted).max() < 12]
    assert 0.5 < len(near) / len(given) < 0.9


def test_colours_of_few_patterned_or_held_back_products_are_not_given():
    for stored, mask, records in (
        products((120, 108, 122), n=6),
        products((120, 108, 122), validation=True),
    ):
        assert plain_colours(Dataset(stored, mask, records), "fashion") == {}
    stored, mask, records = products((120, 108, 122))
    stored[:, 20:50] = (250, 220, 30)
    assert plain_colours(Dataset(stored, mask, records), "fashion") == {}


def test_gray_in_the_middle_is_no_label():
    """People call half of it a muted blue, purple, brown or green."""
    for rgb, labels in (((120, 120, 122), {}), ((30, 80, 190), {"color": "blue"})):
        picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
        picture[20:90, 20:90] = rgb
        found: dict[str, str] = {}
        label_pixels(found, picture, "clothing")
        assert {k: v for k, v in found.items() if k == "color"} == labels
