"""The one error for what comes from outside and cannot be used."""

LONGEST_MESSAGE = 2000  # characters of a message: what it quotes may be a whole file
END = 500  # of those, how many are the last: what to do


class InputError(Exception):
    """A value, file or device given by the user that cannot be used.

    The message is one line: the value, what was expected, what to do. The scripts print it and exit with status 2; every
    other exception is a fault of the program and keeps its traceback. A long one loses its middle.
    """

    def __init__(self, message: str) -> None:
        cut = f"{message[: LONGEST_MESSAGE - END - 5]} ... {message[-END:]}"
        super().__init__(message if len(message) <= LONGEST_MESSAGE else cut)
