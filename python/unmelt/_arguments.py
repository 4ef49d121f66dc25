"""Checks of arguments that several functions take."""


def at_least(name: str, value: object, least: int) -> None:
    """Checks a whole number.

    Raises:
        TypeError: It is none.
        ValueError: It is below `least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, but it is a {type(value).__name__}")
    if value.__index__() < least:
        raise ValueError(f"{name} must be at least {least}, but it is {value}")
