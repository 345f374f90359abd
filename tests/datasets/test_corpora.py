"""The table of corpora, and readers that any text may be given to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.datasets import load_compare_challenge, load_dcase
from skaudeep.datasets.corpora import COMPARE, CORPORA


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def test_every_corpus_in_the_table_has_a_description():
    corpora = [*CORPORA.values(), *(row.corpus for row in COMPARE)]
    assert len({corpus.title for corpus in corpora}) == len(corpora) == 8 + 14
    for corpus in corpora:
        text = corpus.describe(3, 2)
        assert text.startswith(f"{corpus.title}: 3 clips, 2 classes\n\nLicence: ")
        assert "Proc." in text or "Transactions" in text


content = st.binary(max_size=60) | st.text('atrin_.,?\t"\n\r\0/wv', max_size=40).map(str.encode)


@pytest.mark.filterwarnings("ignore:1 audio files")
@pytest.mark.filterwarnings("ignore:.*holds no lists such as fold1_train.txt")
@settings(deadline=None, max_examples=200)
@given(head=st.sampled_from([b"", b"filename\tscene_label\n", b"filename,label\n"]), rest=content)
def test_load_dcase_and_load_compare_read_or_refuse_any_text_without_another_error(
    tmp_path_factory, head, rest
):
    root = tmp_path_factory.getbasetemp() / "fuzz"
    touch(root, "audio/train/a", "evaluation_setup/x", "wav/train_.wav", "audio/a.wav")
    for name, load in (("meta.txt", load_dcase), ("lab/labels.csv", load_compare_challenge)):
        touch(root, name)
        (root / name).write_bytes(head + rest)
        try:
            n_clips, message = len(load(root).data), ""
        except (ValueError, FileNotFoundError) as error:
            n_clips, message = 0, str(error)
        assert n_clips > 0 or message.startswith(("Got ", "Found "))
