"""matplotlib, which is optional and loads when something is drawn."""

from typing import Any


def import_pyplot(caller: str) -> Any:
    """Return ``matplotlib.pyplot``, or say in whose name it is missing.

    Parameters
    ----------
    caller : str
        Function or method that draws, such as "SpectrogramDisplay.plot".

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If matplotlib is not installed. The message tells how to get it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed; get it with "
            "pip install 'skaudeep[plot]'."
        ) from error
    return plt
