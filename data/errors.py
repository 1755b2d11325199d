"""The one error for what comes from outside and cannot be used."""


class InputError(Exception):
    """A value, file or device given by the user that cannot be used.

    The message is one line: the value, what was expected, what to do. The scripts print it and exit with status 2; every
    other exception is a fault of the program and keeps its traceback.
    """
