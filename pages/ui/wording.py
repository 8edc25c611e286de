"""Numbers in words."""


def counted(number: int, noun: str) -> str:
    """ "1 picture", "2,000 pictures"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """ "12 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def shortened(text: str, n_characters: int = 64) -> str:
    """The text, or its beginning and "…"."""
    return text if len(text) <= n_characters else f"{text[: n_characters - 1]}…"
