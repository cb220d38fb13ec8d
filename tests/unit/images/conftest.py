import sys
from pathlib import Path

IMAGES = Path(__file__).parents[3] / "charts" / "images"
sys.path[:0] = [str(IMAGES)]
