"""Checks that fitted attributes from a file are complete and agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.linear_model import LogisticRegression

from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.distillation import DistilledFeatures
from skaudeep.function_extractor import FunctionExtractor
from skaudeep.linear import TunedLogisticRegression
from skaudeep.mlp import DropoutMLPClassifier, check_layers
from skaudeep.module_features import ModuleFeatures
from skaudeep.nn.foreign import ModuleEncoder
from skaudeep.nn.reservoir import Reservoir
from skaudeep.reservoir import ReservoirFeatures
from skaudeep.training.loop import check_moments

# Fitted attributes in addition to those of any network.
_OF_AUTOENCODER = {"moments_", "n_frames_", "out_activation_"}
_OF_STUDENT = {"extractor_"}
_LOSSES = ("loss_curve_", "validation_loss_curve_")


def check_results(estimator: Any) -> None:
    """Raise ValueError if results of fit are missing, or contradict each other."""
    if isinstance(estimator, FunctionExtractor):
        fitted, checksum = vars(estimator), estimator.checksum
        if callable(estimator.func):
            raise ValueError("holds a FunctionExtractor of a function, expected that of a path")
        n_bands = fitted.get("n_bands_", 1)
        if type(n_bands) is not int or n_bands < 1:
            raise ValueError(f"holds a FunctionExtractor with n_bands_={str(n_bands)[:80]}")
        if not isinstance(fitted.get("checksum_", checksum), str):
            raise ValueError("holds a FunctionExtractor without the checksum of its model")
    if isinstance(estimator, TunedLogisticRegression):
        classifier = vars(estimator).get("classifier_")
        if classifier is not None and type(classifier) is not LogisticRegression:
            raise ValueError(
                "holds a TunedLogisticRegression with a classifier_ of "
                f"{type(classifier).__name__}, expected LogisticRegression"
            )
    if isinstance(estimator, DropoutMLPClassifier):
        check_layers(estimator)
    if isinstance(estimator, ModuleFeatures):
        _check_module_features(vars(estimator))
    if not isinstance(estimator, DistilledFeatures | ReservoirFeatures | Seq2SeqAutoencoder):
        return
    name, results = type(estimator).__name__, vars(estimator)
    autoencoder = isinstance(estimator, Seq2SeqAutoencoder)
    student = isinstance(estimator, DistilledFeatures)
    network: Any = results.get("network_")
    needed = {"network_", "seed_", *(_LOSSES if autoencoder or student else ())}
    needed |= _OF_STUDENT if student else {"n_features_in_"}
    needed |= _OF_AUTOENCODER if autoencoder else set()
    if not results.keys() & needed:
        return
    if missing := sorted(needed - results.keys()):
        raise ValueError(f"holds a {name} without {missing[0]}, so that its fit has not ended")
    if isinstance(network, Reservoir) == autoencoder:
        raise ValueError(f"holds a {name} with a network_ of {type(network).__name__}")
    if student:
        _check_extractor(results["extractor_"], estimator.extractor)
    # For series in a matrix, which have one band, it is their length.
    reads_bands = not student or results["extractor_"] == "passthrough"
    n_features = results.get("n_features_in_")
    if reads_bands and network.sizes.n_bands not in (1, n_features):
        raise ValueError(
            f"holds a {name} with n_features_in_={str(n_features)[:80]}, but its "
            f"network reads {network.sizes.n_bands} bands"
        )
    for key in _LOSSES if autoencoder or student else ():
        curve = results[key]
        if not isinstance(curve, list) or not all(isinstance(loss, float) for loss in curve):
            raise ValueError(f"holds a {name} whose {key} is no list of numbers")
    if autoencoder:
        for key, least in (("seed_", 0), ("n_frames_", 1)):
            if type(results[key]) is not int or results[key] < least:
                raise ValueError(
                    f"holds a {name} with {key}={str(results[key])[:80]}, expected an integer of "
                    f"at least {least}"
                )
        if results["moments_"] is not None:
            check_moments(results["moments_"], network)
        _check_conditions(results.get("conditions_"), network.sizes.n_conditions)


def _check_module_features(results: Mapping[str, Any]) -> None:
    needed = {"network_", "n_features_in_"}
    if missing := needed - results.keys():
        if missing != needed:
            raise ValueError(f"holds a ModuleFeatures without {min(missing)}")
        return
    network = results["network_"]
    if not isinstance(network, ModuleEncoder):
        raise ValueError(f"holds a ModuleFeatures with a network_ of {type(network).__name__}")
    if network.n_bands not in (1, results["n_features_in_"]):
        raise ValueError(
            f"holds a ModuleFeatures with n_features_in_={str(results['n_features_in_'])[:80]}, "
            f"but its network reads {network.n_bands} bands"
        )


def _check_extractor(fitted: Any, parameter: Any) -> None:
    passes = isinstance(parameter, str)  # "passthrough"
    if passes != isinstance(fitted, str) or not (passes or hasattr(fitted, "transform")):
        raise ValueError(
            f"holds a DistilledFeatures whose extractor_ is a {type(fitted).__name__}, with "
            f"extractor={str(parameter)[:80]}"
        )


def _check_conditions(conditions: Any, n_conditions: int) -> None:
    if conditions is None and n_conditions == 0:
        return
    form = (getattr(conditions, "ndim", 0), getattr(getattr(conditions, "dtype", None), "kind", ""))
    if form not in ((1, "i"), (1, "U")) or conditions.tolist() != sorted(set(conditions.tolist())):
        raise ValueError("holds an autoencoder whose conditions_ are no sorted integers or texts")
    if len(conditions) != n_conditions:
        raise ValueError(
            f"holds an autoencoder with {len(conditions)} conditions_, but its network was told "
            f"{n_conditions}"
        )
