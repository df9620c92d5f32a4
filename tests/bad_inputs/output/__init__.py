"""Hostile texts by name."""

from pathlib import Path

from ruamel.yaml import YAML

STRINGS: dict[str, str] = YAML(typ="safe", pure=True).load(Path(__file__).with_name("strings.yaml").read_text())
