#!/usr/bin/env python3
"""Makes caption.ttf: Han characters from Droid Sans Fallback, everything else from Roboto.

Both fonts are Apache-2.0 (see LICENSE and README.md). Droid Sans Fallback has no Latin letters, so Roboto
lends them. The characters kept are ASCII, Latin-1, GB 2312 (6763 Han characters, kana, Greek, Cyrillic) and
CJK punctuation, as far as the two fonts have them. Hinting and layout tables go: captions are drawn by an
anti-aliasing rasteriser that reads neither.

Needs: pip install fonttools==4.68.0; Debian packages fonts-droid-fallback and fonts-roboto-unhinted.
Usage: make.py DroidSansFallbackFull.ttf Roboto-Regular.ttf caption.ttf
"""

import hashlib
import sys
from pathlib import Path

from fontTools import merge, subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

SOURCES = {
    "DroidSansFallbackFull.ttf": "acb6440a713d880a13a21b468ba7cd43f5a2b2934972e51be791c880730777b8",
    "Roboto-Regular.ttf": "797e35f7f5d6020a5c6ea13b42ecd668bcfb3bbc4baa0e74773527e5b6cb3174",
}


def wanted() -> set[int]:
    """ASCII, Latin-1, every character that GB 2312 can write, and punctuation that stands around them today."""
    chars = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100))
    # Dashes, quotes, bullet; CJK punctuation; full-width forms. Python's gb2312 maps the Chinese dash to U+2015
    # and the middle dot to U+30FB, while input methods write U+2014 and U+00B7.
    chars |= set(range(0x2010, 0x2028)) | set(range(0x3000, 0x3020)) | set(range(0xFF01, 0xFF5F))
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                chars.add(ord(bytes([row, cell]).decode("gb2312")))
            except UnicodeDecodeError:
                pass
    return chars


def cut(path: Path, chars: set[int]) -> TTFont:
    """The font with only `chars`, without hints and layout."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SOURCES[path.name]:
        sys.exit(f"{path}: expected sha256 {SOURCES[path.name]}, got {digest}")
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[0, 1, 2, 13, 14], notdef_outline=True)
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "vhea", "vmtx", "DSIG", "BASE"]
    font = TTFont(path)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=chars)
    cutter.subset(font)
    return font


def main() -> None:
    droid, roboto, out = map(Path, sys.argv[1:4])
    chars = wanted()
    latin = cut(roboto, {c for c in chars if c < 0x2E80 or c > 0xFFFF})
    han = cut(droid, chars - set(latin.getBestCmap()))
    # 256 units to the em is finer than any caption is drawn, and it keeps Droid's outlines in single bytes.
    scale_upem(latin, han["head"].unitsPerEm)
    parts = []
    for name, font in (("latin", latin), ("han", han)):
        parts.append(out.with_suffix(f".{name}.ttf"))
        font.save(parts[-1])
    font = merge.Merger().merge([str(part) for part in parts])
    for part in parts:
        part.unlink()
    # The merged font must not carry the name of either.
    for record in list(font["name"].names):
        if record.nameID in (1, 4, 6):
            font["name"].removeNames(nameID=record.nameID)
    font["name"].setName("Gridpatrol Caption", 1, 3, 1, 0x409)
    font["name"].setName("Roboto (c) 2011 Google Inc.; Droid Sans Fallback (c) 2006-2010 Google Corp.", 0, 3, 1, 0x409)
    font["head"].created = font["head"].modified = 0
    font.recalcTimestamp = False
    font.save(out)
    lost = sorted(chars - set(font.getBestCmap()))
    print(f"{out}: {len(font.getBestCmap())} characters, {out.stat().st_size} bytes, {len(lost)} not in either font:")
    print("".join(map(chr, lost)))


if __name__ == "__main__":
    main()
