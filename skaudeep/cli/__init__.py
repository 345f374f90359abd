"""The command line. Each command is a thin layer over one public function.

Commands import what they need when they run: `skaudeep --help` loads neither torch nor
scikit-learn.
"""

from skaudeep.cli.program import main

__all__ = ["main"]
