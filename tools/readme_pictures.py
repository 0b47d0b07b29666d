"""Pick the README's pictures from those that `make pictures` took, and make them small.

Usage: readme_pictures.py FROM TO. Exits with 1 when one is missing or stays too large.
"""

import sys
from pathlib import Path

from PIL import Image

CHOSEN = {
    "demo": "demo-flood-desk-light",
    "setup": "setup-desk-light",
    "prompt": "code-desk-dark",
    "portal": "portal-desk-light",
    "phone": "backup-codes-phone-dark",
}
TALLEST = 900
COLORS = 256
LARGEST = 150 * 1024


def main(source: Path, target: Path) -> int:
    """Write every chosen picture; the number of those that are missing or too large decides the exit code."""
    target.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name, taken in CHOSEN.items():
        path = source / f"{taken}.png"
        if not path.exists():
            print(f"{path} was not taken")
            bad += 1
            continue
        written = target / f"{name}.png"
        with Image.open(path) as picture:
            cut = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, TALLEST)))
            cut.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(written, optimize=True)
        size = written.stat().st_size
        print(f"{written} {size // 1024} KiB")
        bad += size > LARGEST
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
