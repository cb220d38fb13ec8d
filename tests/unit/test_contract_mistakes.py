"""docs/contract-mistakes.md says of each mistake what `seatrial lint` really answers."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.lint import lint
from seatrial.errors import InputError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contract-mistakes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def answer(folder: Path, example: str) -> str:
    """What lint says of greeter with this example in its contract: a whole file, or keys that take another's place."""
    chart = Path(shutil.copytree(ROOT / "examples" / "greeter", folder / "greeter"))
    file = chart / "contract.yaml"
    if example.startswith("apiVersion:"):
        file.write_text(example, encoding="utf-8")
    else:
        changed = yaml.safe_load(file.read_text(encoding="utf-8")) | yaml.safe_load(example)
        file.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
    said = CliRunner().invoke(lint, [str(chart)], standalone_mode=False)
    if isinstance(said.exception, InputError):
        return f"seatrial: {said.exception}\n".replace(f"{folder}/", "")
    assert said.exception is None
    return said.stdout.replace(f"{folder}/", "")


def test_every_example_has_its_answer():
    assert len(EXAMPLES) == PAGE.count("```yaml") == PAGE.count("```text")
    assert len(EXAMPLES) >= 20


@pytest.mark.parametrize(("example", "said"), EXAMPLES, ids=[example.split(":")[0] for example, _ in EXAMPLES])
def test_the_answer_is_the_real_one(tmp_path, example, said):
    """To the letter; of what is only remarked, that line."""
    found = answer(tmp_path, example)
    assert said in found if said.startswith(("warning", "note")) else said == found
