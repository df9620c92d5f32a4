"""Reads a corpus: a folder of a guard with its index, each case with the code that it must be refused for."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).parent


def index(guard: str) -> Any:
    """The index of a guard, as it is written."""
    return YAML(typ="safe", pure=True).load((HERE / guard / "cases.yaml").read_text(encoding="utf-8"))


def cases(guard: str) -> list[dict[str, Any]]:
    """Every case of a guard. Raises `AssertionError` for one that expects nothing, or bears a name twice."""
    return checked(index(guard), guard)


def checked(read: Any, guard: str) -> list[dict[str, Any]]:
    """The cases of an index, each a mapping with `name` and `code`."""
    found = read["cases"]
    rows = [{"name": name, "code": code} for name, code in found.items()] if isinstance(found, dict) else found
    names = [each.get("name") for each in rows]
    assert rows, f"{guard}: no cases"
    assert all(names), f"{guard}: a case without a name"
    assert len(set(names)) == len(names), f"{guard}: a name twice"
    wrong = [each["name"] for each in rows if not isinstance(each.get("code"), str) or not each["code"]]
    assert not wrong, f"{guard}: without a code: {wrong}"
    return rows


def named(guard: str) -> dict[str, dict[str, Any]]:
    """The cases of a guard by name, for parametrize."""
    return {each["name"]: each for each in cases(guard)}
