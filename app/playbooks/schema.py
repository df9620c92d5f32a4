"""The published JSON Schema of a playbook, generated from the model: ``python -m app.playbooks.schema`` writes it."""

import json
from pathlib import Path
from typing import Any

from app.playbooks.rules import Playbook, StepKind
from app.playbooks.service import SHIPPED

PLACE = SHIPPED / "schema.json"


def document() -> dict[str, Any]:
    """JSON Schema 2020-12 of a playbook; it cannot say all that the loader refuses, see ``wissel check``."""
    made = Playbook.model_json_schema(by_alias=True)
    definitions = made["$defs"]
    definitions["Step"]["oneOf"] = [{"required": [kind.value]} for kind in StepKind]
    wait = definitions["Step"]["properties"]["wait"]
    wait["anyOf"] = [{"type": "string"}, *wait["anyOf"]]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:wissel:playbook"}
    return {**head, **made}


def text() -> str:
    """The file as it is kept."""
    return json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write(place: Path = PLACE) -> None:
    """Write the file anew."""
    place.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
