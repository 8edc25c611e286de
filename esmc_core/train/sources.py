"""What each training set's columns mean: rows of labels.csv to attributes, answers and nouns."""

from __future__ import annotations

import re
from collections.abc import Callable

from esmc_core.train.questions import COLOURS, words

Row = dict[str, str]
Labels = dict[str, str]

# Product names to one word each: only the first answer token is ever read.
TYPES = {
    "Tshirts": "tshirt",
    "T-Shirt": "tshirt",
    "Shirts": "shirt",
    "Casual Shoes": "shoe",
    "Shoes": "shoe",
    "Tops": "top",
    "Sports Shoes": "sneaker",
    "Watches": "watch",
    "Heels": "heel",
    "Sweaters": "sweater",
    "Sandals": "sandal",
    "Wallets": "wallet",
    "Kurtas": "kurta",
    "Sweatshirts": "sweatshirt",
    "Belts": "belt",
    "Handbags": "handbag",
    "Formal Shoes": "oxford",
    "Jackets": "jacket",
    "Backpacks": "backpack",
    "Flip Flops": "flipflop",
    "Innerwear Vests": "vest",
    "Undershirt": "vest",
    "Caps": "cap",
    "Track Pants": "joggers",
    "Ties": "tie",
    "Kurtis": "tunic",
    "Tunics": "tunic",
    "Clutches": "clutch",
    "Dresses": "dress",
    "Mufflers": "scarf",
    "Scarves": "scarf",
    "Skirts": "skirt",
    "Trunk": "trunks",
    "Perfume and Body Mist": "perfume",
    "Laptop Bag": "bag",
    "Duffel Bag": "bag",
    "Messenger Bag": "bag",
    "Outwear": "jacket",
    "Pants": "trousers",
    "Body": "bodysuit",
}
PLAIN_TYPES = words(
    "Sunglasses Trousers Jeans Socks Flats Briefs Shorts Cufflinks Capris Stockings Leggings "
    "Hat Skirt Polo Blazer Hoodie Top Blouse Dress Shirt Longsleeve Gloves"
)
TYPES |= {name: name.lower() for name in PLAIN_TYPES}
TOPS = {"tshirt", "shirt", "top", "sweater", "kurta", "sweatshirt", "jacket", "vest", "tunic"}
SHOES = {"shoe", "sneaker", "heel", "sandal", "oxford", "flats", "flipflop"}
CATEGORIES = {"Apparel": "clothing", "Accessories": "accessory", "Footwear": "footwear"}
SHOP_COLOURS = {
    "Grey": "gray",
    "Grey Melange": "gray",
    "Navy Blue": "navy",
    "Steel": "silver",
    "Metallic": "silver",
    "Khaki": "tan",
    "Off White": "white",
    "Copper": "brown",
    "Bronze": "brown",
    "Coffee Brown": "brown",
    "Rust": "brown",
    "Mustard": "yellow",
    "Turquoise Blue": "turquoise",
    "Burgundy": "maroon",
    "Sea Green": "green",
    "Fluorescent Green": "green",
    "Multi": "multicolor",
    "Mauve": "purple",
}
FLOWER_COLOURS = ("red", "pink", "purple", "yellow", "orange", "white")
# A flower's colour is its petals', of which the middle of a picture often tells nothing.
PETALS_OF_SPECIES = {"daisy": "white", "dandelion": "yellow", "sunflower": "yellow"}


def colour_word(name: str) -> str | None:
    """The answer word for a colour label, None where there is none."""
    word = SHOP_COLOURS.get(name, name.lower()).replace("grey", "gray")
    return word if word in COLOURS else None


def _car(row: Row) -> tuple[Labels, list[str]]:
    labels = {"color": row["colour"].replace("grey", "gray"), "type": "car"}
    return labels, ["car", "car", "vehicle", "automobile"]


def _cards(row: Row) -> tuple[Labels, list[str]]:
    labels = {"suit": row["suit"], "rank": row["rank"], "color": row["colour"]}
    return labels, ["card", "playing card", "card", "poker card"]


def _cifar(row: Row) -> tuple[Labels, list[str]]:
    kind = {"automobile": "car"}.get(row["class"], row["class"])
    living = row["type"] == "animals"
    labels = {
        "kind": kind,
        "supertype": "animal" if living else "vehicle",
        "environment": row["environment"],
    }
    return labels, ["object", "object", "thing", "picture"]  # a noun must not tell the type


def _clothes(row: Row) -> tuple[Labels, list[str]]:
    labels, kind = {}, TYPES.get(row["type"])
    if kind:
        labels["type"] = kind
    if "age_group" in row:
        labels["age"] = row["age_group"]
    category = CATEGORIES.get(row.get("category", ""))
    if category:
        labels["category"] = category
    gender = {"Men": "men", "Women": "women", "Boys": "boys", "Girls": "girls"}
    if row.get("gender") in gender:
        labels["gender"] = gender[row["gender"]]
    if row.get("usage") in ("Casual", "Formal", "Sports", "Ethnic"):
        labels["usage"] = row["usage"].lower()
    nouns = ["item", "product", "clothing", "clothes", "fashion item", "fashion product"]
    return labels, nouns + ([kind] * 3 if kind else []) + _family(kind or "")


def _family(kind: str) -> list[str]:
    if kind in TOPS:
        return ["garment", "garment"]
    return ["shoes", "footwear"] if kind in SHOES else ["accessory"]


def _fashion(row: Row) -> tuple[Labels, list[str]]:
    labels, nouns = _clothes(row)
    colour = colour_word(row["colour"])
    return ({"color": colour} if colour else {}) | labels, nouns


def _flower(row: Row) -> tuple[Labels, list[str]]:
    labels = {"species": row["species"], "kind": "flower"}
    if row["species"] in PETALS_OF_SPECIES:
        labels["color"] = PETALS_OF_SPECIES[row["species"]]
    return labels, ["flower", "flower", "blossom", "plant"]


def _grocery(row: Row) -> tuple[Labels, list[str]]:
    item = row["item"].lower()
    category = {"Fruit": "fruit", "Packages": "package", "Vegetables": "vegetable"}
    labels = {"category": category[row["category"]]}
    if re.fullmatch("[a-z]+", item):
        labels["type"] = item
    if row["colour"]:
        labels["color"] = row["colour"]
    return labels, ["food", "item", category[row["category"]], "product", "fruit"]


def _one(column: str, attribute: str, *nouns: str) -> Callable[[Row], tuple[Labels, list[str]]]:
    def read(row: Row) -> tuple[Labels, list[str]]:
        return {attribute: row[column].split()[0]}, list(nouns)

    return read


READERS: dict[str, Callable[[Row], tuple[Labels, list[str]]]] = {
    "car_colours": _car,
    "car_body_colours": _car,
    "cards": _cards,
    "cifar10_train": _cifar,
    "cifar10_captioned": _cifar,
    "clothing": _clothes,
    "fashion": _fashion,
    "flowers": _flower,
    "grocery": _grocery,
    "animals": _one("kind", "animal", "animal", "pet", "picture"),
    "scenes": _one("scene", "scene", "picture", "photo", "place", "image"),
    "weather": _one("weather", "weather", "picture", "sky", "place", "scene"),
    "materials": _one("material", "material", "object", "item", "waste", "rubbish"),
    "traffic_vehicles": _one("kind", "type", "vehicle", "vehicle", "object"),
}
# How often each source is drawn against others; one that is not here .02.
WEIGHTS = {
    "car_colours": 0.3,
    "car_colours_cut_outs": 0.14,
    "car_body_colours": 0.02,
    "fashion": 0.28,
    "fashion_cut_outs": 0.12,
    "clothing": 0.06,
    "cards": 0.14,
    "drawn_cards": 0.06,
    "cifar10_train": 0.12,
    "cifar10_captioned": 0.06,
    "flowers": 0.1,
    "grocery": 0.03,
    "scenes": 0.02,
    "weather": 0.02,
    "animals": 0.02,
    "materials": 0.02,
    "traffic_vehicles": 0.02,
    "still_lifes": 0.06,
}
PHOTOGRAPHS = ("scenes", "weather", "grocery", "traffic_vehicles", "animals")  # backgrounds
PIXEL_COLOURS: dict[str, tuple[str, ...] | None] = {
    # None: any name
    "flowers": FLOWER_COLOURS,
    "clothing": None,
    "traffic_vehicles": None,
}


def caption_colour(caption: str, kind: str) -> str | None:
    """The one colour that a caption gives to its object ("a blue airplane"), else None."""
    kind = {"car": "car|automobile|vehicle|sedan|suv", "ship": "ship|boat"}.get(kind, kind)
    names = "|".join(COLOURS) + "|grey"
    found = re.findall(rf"\b({names})(?:-colored)? (?:\w+ )?(?:{kind})", caption.lower())
    words = {colour_word(word) for word in found}
    return words.pop() if len(words) == 1 else None
