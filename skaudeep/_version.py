"""The version of skaudeep; a leaf that imports nothing."""

__version__ = "0.1.0.dev0"
