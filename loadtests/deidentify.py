"""Clinical sentences to de-identify, and what each must become: every name, place, date and address masked."""

import orjson
import yaml

from seatrial.content import content
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

HEADERS = (("content-type", "application/json"), ("host", "localhost"))


def masked(text: str, entities: list[dict]) -> str:
    """The text with each entity replaced by its label, from the last to the first, so that offsets stay true."""
    for entity in sorted(entities, key=lambda entity: -entity["start"]):
        text = text[: entity["start"]] + f"[{entity['label']}]" + text[entity["end"] :]
    return text


class Deidentify(OpenLoopUser):
    """One user is one request per second."""

    def exchanges(self):
        cases = yaml.safe_load((content("charts") / "openmed-service" / "cases.yaml").read_text())
        return [
            Exchange(
                case=f"sentence-{number}",
                method="POST",
                path="/pii/deidentify",
                headers=HEADERS,
                body=orjson.dumps({**case["request"], "method": "mask"}),
                expect={"deidentified_text": masked(case["expect"]["text"], case["expect"]["entities"])},
            )
            for number, case in enumerate(cases)
        ]
