"""An autoencoder is trained on data sets of any kind and number, labels aside."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudeep
from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.callbacks import Checkpoint
from skaudeep.datasets import drop_folds, make_bunch, make_sounds, select
from skaudeep.unsupervised import find_autoencoder, spectrograms_for

RATE = 8000  # Hz
SMALL = {"n_units": 8, "n_layers": 1, "batch_size": 4, "random_state": 0}


def autoencoder(**changes):
    return Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2} | changes)


def sequences(n_clips, n_frames=6, seed=0):
    """Make a data set of spectrograms; its names begin with the seed."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n_clips, n_frames, 5)).astype(np.float32)
    return make_bunch(X, [f"{seed}/{i}.wav" for i in range(n_clips)])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return make_sounds(
        8, n_classes=2, n_sessions=2, duration=0.3, sampling_rate=RATE, folder=folder
    )


def test_of_one_data_set_it_is_what_fit_gives():
    bunch = sequences(6)
    ours = skaudeep.fit_autoencoder(bunch, autoencoder())
    assert ours.loss_curve_ == autoencoder().fit(bunch.data).loss_curve_


def test_several_data_sets_are_one_also_from_disk_and_of_other_lengths(tmp_path):
    parts = [sequences(5, seed=1), sequences(4, n_frames=4, seed=2)]
    padded = np.full((9, 6, 5), np.nan, np.float32)
    padded[:5], padded[5:, :4] = parts[0].data, parts[1].data
    expected = autoencoder().fit(padded).loss_curve_
    for number, part in enumerate(parts):
        skaudeep.save_netcdf(part, tmp_path / f"{number}.nc")
    stored = [skaudeep.load_netcdf(tmp_path / f"{number}.nc", lazy=True) for number in (0, 1)]
    assert skaudeep.fit_autoencoder(parts, autoencoder()).loss_curve_ == expected
    assert skaudeep.fit_autoencoder(stored, autoencoder()).loss_curve_ == expected


def test_recordings_go_through_the_extractor_which_then_takes_any_rate(corpus):
    extractor = SpectrogramExtractor(n_mels=10)
    spectrograms = extractor.transform(corpus.data)
    expected = autoencoder().fit(spectrograms).loss_curve_
    halves = [select(corpus, slice(0, 4)), select(corpus, slice(4, 8))]
    model = skaudeep.fit_autoencoder(halves, make_pipeline(extractor, autoencoder()))
    assert find_autoencoder(model).loss_curve_ == expected
    assert model[0].sampling_rate == RATE


def test_without_a_model_there_is_a_default_one_for_what_the_data_are(corpus, monkeypatch):
    monkeypatch.setattr("skaudeep.unsupervised.Seq2SeqAutoencoder.fit", lambda self, *_: self)
    assert isinstance(skaudeep.fit_autoencoder(sequences(3)), Seq2SeqAutoencoder)
    model = skaudeep.fit_autoencoder(corpus, random_state=3)
    assert isinstance(model[0], SpectrogramExtractor)
    assert model[1].random_state == 3


def test_callbacks_watch_one_training_and_epochs_are_counted(tmp_path):
    seen = []
    fitted = skaudeep.fit_autoencoder(
        sequences(6),
        autoencoder(max_epochs=3),
        callbacks=[Checkpoint(tmp_path)],
        on_epoch=lambda now, left: seen.append((len(now.loss_curve_), left)),
    )
    assert seen == [(1, 2), (2, 1), (3, 0)]
    assert len(list(tmp_path.glob("*/*.skaudeep"))) == 2
    more = skaudeep.fit_autoencoder(sequences(6), fitted.set_params(max_epochs=4))
    assert len(more.loss_curve_) == 4
    assert len(seen) == 3  # nobody watches any more
    assert len(list(tmp_path.glob("*/*.skaudeep"))) == 2


def test_callbacks_of_the_autoencoder_itself_stay(tmp_path):
    own = autoencoder().set_callbacks(Checkpoint(tmp_path))
    skaudeep.fit_autoencoder(sequences(6), own)
    assert len(list(tmp_path.glob("*/*.skaudeep"))) == 2


@pytest.mark.parametrize(
    ("bunch", "model", "error", "words"),
    [
        ([], None, ValueError, "no data set"),
        (sequences(3), StandardScaler(), TypeError, "ends in a StandardScaler"),
        (make_bunch(np.zeros((2, 8)), ["a", "b"]), None, ValueError, "have no time axis"),
        (
            [sequences(3), make_bunch(np.zeros((2, 6, 4)), ["a", "b"])],
            None,
            ValueError,
            r"\(3, 6, 5\) and \(2, 6, 4\), expected the same bands",
        ),
        (
            [sequences(3), make_bunch(np.zeros((2, 8)), ["a", "b"])],
            None,
            ValueError,
            "in set 0 and .* in set 1, expected one kind",
        ),
        (
            sequences(3),
            make_pipeline(SpectrogramExtractor(), autoencoder()),
            ValueError,
            "for a model of recordings",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(bunch, model, error, words):
    with pytest.raises(error, match=words):
        skaudeep.fit_autoencoder(bunch, model)


def test_what_an_autoencoder_reads_of_clips_is_what_it_was_trained_on(corpus):
    extractor = SpectrogramExtractor(n_mels=10)
    model = skaudeep.fit_autoencoder(corpus, make_pipeline(extractor, autoencoder(max_epochs=0)))
    two = select(drop_folds(corpus), slice(0, 2))
    np.testing.assert_array_equal(spectrograms_for(model, two), extractor.transform(two.data))
    stored = sequences(3)
    np.testing.assert_array_equal(spectrograms_for(model[1], stored), stored.data)
    with pytest.raises(ValueError, match="for a model of spectrograms, expected some"):
        spectrograms_for(model[1], two)
    with pytest.raises(ValueError, match="for a model of recordings"):
        spectrograms_for(model, stored)
