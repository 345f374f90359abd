"""The paper's network on ESC-10: four views and their fusion, transductive and inductive.

Run it with ``python examples/getting_started/esc10.py PATH``, PATH being a folder with ESC-10 in
one of its two layouts. Mel spectrograms of 80 ms windows are clipped 30, 45, 60 or 75 dB below each
clip's maximum; 2 x 256 GRU units encode, a bidirectional decoder rebuilds; 64 epochs. Features are
statistics of the encoder's states over time. The classifier is fixed beforehand. Beside the trained
networks stand the same networks untrained and plain statistics of the mel bands.

Transductive: each network sees all 400 clips, unlabelled, and the classifier is trained on four
folds and tested on the fifth. Inductive: the network, too, sees only the four training folds, so
five networks are trained; ``--n-jobs 2`` trains two at a time.
"""

import argparse
import time

from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch

from skaudeep import (
    BandStatistics,
    FeatureFusion,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    compare,
    evaluate,
)
from skaudeep.datasets import load_esc

THRESHOLDS = (-30, -45, -60, -75)  # dB below each clip's maximum
SINGLE = "-60dB"


def make_view(clip_below: float, seed: int, options: argparse.Namespace) -> Pipeline:
    """Extract spectrograms and learn their representation, as the paper did for ESC-10."""
    return make_pipeline(
        SpectrogramExtractor(
            window_duration=0.08,
            hop_duration=0.04,
            n_mels=128,
            duration=5.0,
            align="center",
            clip_below=clip_below,
        ),
        Seq2SeqAutoencoder(
            256,
            n_layers=2,
            bidirectional_encoder=False,
            bidirectional_decoder=True,
            representation="statistics",
            max_epochs=options.max_epochs,
            batch_size=64,
            precision=options.precision,
            random_state=seed,
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of the corpus")
    parser.add_argument("--max-epochs", type=int, default=64)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=None, help="networks trained at a time")
    parser.add_argument("--skip-inductive", action="store_true")
    options = parser.parse_args()

    esc10 = load_esc(options.path)
    # On 8,192 features its default of 1,000 iterations is too few to converge.
    classifier = make_pipeline(StandardScaler(), LinearSVC(C=0.01, max_iter=20_000, random_state=0))
    trained = FeatureFusion(
        [
            (f"{db}dB", make_view(db, options.random_state + i, options))
            for i, db in enumerate(THRESHOLDS)
        ],
        n_jobs=options.n_jobs,
    )
    names = [name for name, _ in trained.transformer_list]
    network = "__seq2seqautoencoder"
    untrained = clone(trained).set_params(**{f"{n}{network}__max_epochs": 0 for n in names})
    statistics = clone(trained).set_params(**{f"{n}{network}": BandStatistics() for n in names})

    start = time.perf_counter()
    results = {
        kind: evaluate_views(views, esc10, classifier)
        for kind, views in (
            ("trained", trained),
            ("untrained", untrained),
            ("mel statistics", statistics),
        )
    }
    n_groups = results["trained"]["fused"].n_groups
    over = f"{n_groups} recordings" if n_groups else "clips"
    print(
        f"transductive, accuracy in % with 95 % interval over {over} "
        f"({minutes_since(start):.0f} min)"
    )
    print("view".ljust(8), *(kind.ljust(20) for kind in results))
    for view in [*names, "fused"]:
        cells = []
        for evaluations in results.values():
            low, high = (100 * bound for bound in evaluations[view].accuracy_interval)
            cells.append(f"{100 * evaluations[view].accuracy:.1f} [{low:.1f}, {high:.1f}]")
        print(view.ljust(8), *(cell.ljust(20) for cell in cells))
    ours = results["trained"]
    print(f"fused against {SINGLE}: {compare(ours['fused'], ours[SINGLE])}")
    print(
        f"trained against untrained, fused: {compare(ours['fused'], results['untrained']['fused'])}"
    )
    print(flush=True)

    if not options.skip_inductive:
        start = time.perf_counter()
        single = make_view(float(SINGLE.removesuffix("dB")), options.random_state, options)
        result = evaluate(
            Pipeline([*single.steps, *classifier.steps]),
            esc10,
            protocol="inductive",
            n_jobs=options.n_jobs,
            random_state=options.random_state,
        )
        print(f"{SINGLE}, {result}\n({minutes_since(start):.0f} min)")


def evaluate_views(views: FeatureFusion, bunch: Bunch, classifier: Pipeline) -> dict:
    """Fit the views on all clips, then score a classifier on each of them and on all together."""
    features = views.fit_transform(bunch.data)
    view_of = [name.partition("__")[0] for name in views.get_feature_names_out()]
    columns = {view: [v == view for v in view_of] for view, _ in views.transformer_list}
    columns["fused"] = [True] * len(view_of)
    return {
        view: evaluate(classifier, Bunch(**{**bunch, "data": features[:, wanted]}), controls=False)
        for view, wanted in columns.items()
    }


def minutes_since(start: float) -> float:
    return (time.perf_counter() - start) / 60


if __name__ == "__main__":
    main()
