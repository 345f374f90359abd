"""skaudeep: features from unlabelled audio, as scikit-learn transformers."""

__version__ = "0.1.0.dev0"
