"""The networks, in torch alone: no scikit-learn, no training loop."""
