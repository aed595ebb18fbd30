"""After an adaptation: does what the model draws repeat the prints that it learnt from? The figure goes into its card.

Images of fingers that nobody has are drawn in the new look and compared with the prints as `fpsynth inspect --training`
does: what is nearer to one of them than strangers are to each other is counted, beside the number that chance makes.
"""

import json
from pathlib import Path
from typing import Any

from fpsynth.console import Console
from fpsynth.flow import Order, generate
from fpsynth.model_folder import students

IMAGES = 100
HEADING = "## Whether it repeats the prints that it learnt from"
RECIPE = """\
name: leak
identities: {fingers}
impressions: 2
image: {{width: {side}, height: {side}}}
seed: 1
prompt: {{sensor: own, quality: {{good: 0.5, fair: 0.3, poor: 0.2}}}}
sampling: {{model: ../model, {means}}}
gate: off
"""


def check_leak(run: Path, device: str, console: Console, images: int = IMAGES, side: int = 512) -> dict[str, Any]:
    """Draw, compare, and say the outcome in the model's card. run: the folder of an adapt stage that is done.

    side: of the images, pixels. Raises UserError where nothing can be compared.
    """
    from fpsynth.inspect.look import Options, inspect_path

    told = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    work = run / "leak"
    work.mkdir(exist_ok=True)
    means = next((f"student: {name}" for name in students(run / "model")), "student: none, steps: 20")
    (work / "recipe.yaml").write_text(RECIPE.format(fingers=images // 2, side=side, means=means), encoding="utf-8")
    console.note(f"drawing {images} images of other fingers, to see whether they repeat the prints")
    order = Order(recipe=work / "recipe.yaml", out=work / "images", device=device, overwrite=True)
    generate(order, Console("silent"))
    figures = inspect_path(work / "images", Options(training=Path(told["data"]), ppi=told["ppi"])).figures
    privacy: dict[str, Any] = figures["privacy"]
    console.note(_line(privacy))
    _write(run / "model" / "README.md", privacy)
    return privacy


def _line(privacy: dict[str, Any]) -> str:
    return (
        f"{privacy['flagged']} of {privacy['images']} images of other fingers are nearer to one of the "
        f"{privacy['training_images']} prints ({privacy['matcher']}, above {privacy['threshold']:g}) than strangers "
        f"usually are; by chance {privacy['expected_by_chance']:g} would be"
    )


def _write(card: Path, privacy: dict[str, Any]) -> None:
    """In place of what an earlier check said."""
    text = card.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
    nearest = privacy["nearest"]
    scores = f"Scores of the nearest print: median {nearest['median']:g}, highest {nearest['most']:g}."
    card.write_text(f"{text}\n\n{HEADING}\n\n{_line(privacy)}.\n{scores}\n", encoding="utf-8")
