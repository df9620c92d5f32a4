"""Says in plain words what is wrong with a value, for the API and for forms alike; the value itself is not repeated."""

from pydantic_core import ErrorDetails

from app.core.messages import Message, say


def reason(error: ErrorDetails) -> Message:
    """What a person can do about one fault that pydantic found."""
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return say("Fill this in.")
        case "string_too_short" | "too_short":
            least = context.get("min_length")
            return say("Fill this in.") if least == 1 else say("Give at least {least}.", least=least)
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
            return _of_kind(error)


def _of_kind(error: ErrorDetails) -> Message:
    """Of a value that is of another kind than it should be."""
    match error["type"]:
        case "bool_parsing" | "bool_type":
            return say("Say true or false.")
        case "string_type":
            return say("Give text.")
        case "list_type":
            return say("Give a list.")
        case "dict_type" | "model_type" | "model_attributes_type":
            return say("Give an object with keys.")
        case "int_parsing" | "int_type" | "float_parsing" | "float_type" | "int_from_float" | "finite_number":
            return say("Give a number.")
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            return say("Give a day such as 2026-11-23.")
        case "datetime_type" | "datetime_parsing" | "datetime_from_date_parsing" | "timezone_aware":
            return say("Give a moment with its offset, such as 2026-11-23T10:00:00+01:00.")
        case "extra_forbidden":
            return say("This is not known here.")
        case "string_pattern_mismatch":
            return say("This is not written as it should be.")
        case _:
            return say("Not accepted: {reason}.", reason=error["msg"].removeprefix("Value error, ").rstrip("."))
