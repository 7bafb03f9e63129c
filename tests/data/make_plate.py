"""Draws plate.png, a licence plate of nobody, after the measures of GA 36 (440 x 140 mm, white on blue).

python3 -m pip install pillow; python3 tests/data/make_plate.py
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
FONT = str(HERE / "../../src/evidence/font/caption.ttf")
BLUE, WHITE = (20, 60, 170), (245, 245, 245)

plate = Image.new("RGB", (440, 140), BLUE)
draw = ImageDraw.Draw(plate)
draw.rounded_rectangle((4, 4, 435, 135), 10, outline=WHITE, width=4)
for at, character in enumerate("豫A8K365"):
    # A character is 45 wide and 90 high; the dot after the second takes 34.
    left = 15 + 57 * at + (22 if at > 1 else 0)
    font = ImageFont.truetype(FONT, 64 if at == 0 else 108)
    x1, y1, x2, y2 = draw.textbbox((0, 0), character, font=font)
    glyph = Image.new("L", (x2 - x1, y2 - y1))
    ImageDraw.Draw(glyph).text((-x1, -y1), character, font=font, fill=255)
    glyph = glyph.resize((45, 90))
    plate.paste(WHITE, (left, 25), glyph)
draw.ellipse((134, 64, 146, 76), fill=WHITE)
plate.resize((220, 70), Image.Resampling.LANCZOS).save(HERE / "plate.png", optimize=True)
