"""How much of an untrusted file is read before it is refused."""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30

MAX_PIXELS = 120_000_000
"""Width × height of one picture, read from its header."""

MAX_FILE_BYTES = 256 * MIB
"""One picture's file, packed or not."""

MAX_ENTRIES = 250_000
"""Entries of one archive."""

MAX_DIRECTORY_BYTES = 64 * MIB
"""The table of contents of a zip."""

MAX_TOTAL_BYTES = 100 * GIB
"""What one upload may unpack to, however much disk there is."""

MAX_DISK_SHARE = 0.9
"""Share of the free disk space that one upload may fill."""

MAX_RATIO = 200
"""Unpacked to packed bytes, of a member and of an archive, above RATIO_FLOOR_BYTES."""

RATIO_FLOOR_BYTES = 64 * MIB
"""Below this a high ratio is harmless: flat pictures pack very well."""

MAX_TAR_HEADER_BYTES = 4 * MIB
"""What a tar may spend on the headers of one member."""

LARGE_PIXELS = 16_000_000
"""Pictures above this are decoded one at a time, to bound the memory."""

MAX_PENDING_BYTES = 128 * MIB
"""Packed pictures that wait in memory for a free thread."""
