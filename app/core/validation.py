"""Says in plain words what is wrong with a value, for the API and for forms alike; the value itself is not repeated."""

from pydantic_core import ErrorDetails

from app.core import openness
from app.core.messages import Message, say

_NUMBER = say("Give a number.")
_OBJECT = say("Give an object with keys.")
_DAY = say("Give a day such as 2026-11-23.")
_MOMENT = say("Give a moment with its offset, such as 2026-11-23T10:00:00+01:00.")
_YES_OR_NO = say("Say true or false.")
_PLAIN = {
    "missing": say("Fill this in."),
    "extra_forbidden": say("This is not known here."),
    "string_pattern_mismatch": say("This is not written as it should be."),
    "string_type": say("Give text."),
    "list_type": say("Give a list."),
    **dict.fromkeys(("bool_parsing", "bool_type"), _YES_OR_NO),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _OBJECT),
    **dict.fromkeys(("int_parsing", "int_type", "float_parsing", "float_type"), _NUMBER),
    **dict.fromkeys(("int_from_float", "finite_number"), _NUMBER),
    **dict.fromkeys(("date_type", "date_parsing"), _DAY),
    **dict.fromkeys(("date_from_datetime_parsing", "date_from_datetime_inexact"), _DAY),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "timezone_aware"), _MOMENT),
}
"""By pydantic's type of error, where the words need nothing of the error itself."""


def reason(error: ErrorDetails) -> Message:
    """What a person can do about one fault that pydantic found."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == openness.CODE:
        return say("A secret stands here in the open. Keep it at its site and write its name, such as secret://NAME.")
    match kind:
        case "string_too_short" | "too_short":
            least = context.get("min_length")
            return _PLAIN["missing"] if least == 1 else say("Give at least {least}.", least=least)
        case "string_too_long":
            return say("This is too long: at most {max} characters.", max=context.get("max_length"))
        case "too_long" | "less_than_equal":
            return say("Give at most {most}.", most=context.get("max_length", context.get("le")))
        case "greater_than_equal":
            return say("Give at least {least}.", least=context.get("ge"))
        case "greater_than":
            return say("Give more than {least}.", least=context.get("gt"))
        case "less_than":
            return say("Give less than {most}.", most=context.get("lt"))
        case "enum" | "literal_error":
            return say("Choose one of: {values}.", values=str(context.get("expected")).replace(" or ", ", "))
        case _:
            return say("Not accepted: {reason}.", reason=error["msg"].removeprefix("Value error, ").rstrip("."))
