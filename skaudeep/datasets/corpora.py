"""A table of public corpora: title, licence, citation, source and downloads."""

from __future__ import annotations

from typing import NamedTuple


class Corpus(NamedTuple):
    """Facts about a corpus that its files do not state."""

    title: str
    licence: str
    citation: str
    url: str

    def describe(self, n_clips: int, n_classes: int) -> str:
        """Return the text that a reader stores as DESCR; no classes are values to regress on."""
        kind = f"{n_classes} classes" if n_classes else "values to regress on"
        return (
            f"{self.title}: {n_clips} clips, {kind}\n\n"
            f"Licence: {self.licence}\nCite: {self.citation}\nSource: {self.url}\n"
        )


_PICZAK = (
    "K. J. Piczak, ESC: Dataset for Environmental Sound Classification, Proc. 23rd ACM "
    "International Conference on Multimedia, 2015, pp. 1015-1018, doi:10.1145/2733373.2806390"
)

CORPORA = {
    "esc-10": Corpus(
        title="ESC-10, environmental sounds",
        licence="CC BY 3.0; each clip's source is credited in the corpus",
        citation=_PICZAK,
        url="https://doi.org/10.7910/DVN/YDEPUT",
    ),
    "esc-50": Corpus(
        title="ESC-50, environmental sounds",
        licence="CC BY-NC 3.0; each clip's source is credited in the corpus",
        citation=_PICZAK,
        url="https://github.com/karolpiczak/ESC-50",
    ),
    "urbansound8k": Corpus(
        title="UrbanSound8K, sounds of cities",
        licence="CC BY-NC 3.0; each clip's source is credited in FREESOUNDCREDITS.txt",
        citation=(
            "J. Salamon, C. Jacoby, J. P. Bello, A Dataset and Taxonomy for Urban Sound Research, "
            "Proc. 22nd ACM International Conference on Multimedia, 2014, pp. 1041-1044, "
            "doi:10.1145/2647868.2655045"
        ),
        url="https://doi.org/10.5281/zenodo.1203745",
    ),
    "tut": Corpus(
        title="TUT acoustic scenes, 2016 and 2017",
        licence="non-commercial use; the terms are in the corpus",
        citation=(
            "A. Mesaros, T. Heittola, T. Virtanen, TUT Database for Acoustic Scene Classification "
            "and Sound Event Detection, Proc. 24th European Signal Processing Conference, 2016, "
            "pp. 1128-1132, doi:10.1109/EUSIPCO.2016.7760424"
        ),
        url="https://doi.org/10.5281/zenodo.400515",
    ),
    "dcase-scenes": Corpus(
        title="DCASE acoustic scenes, 2018 and later",
        licence="non-commercial use; the terms are in the corpus",
        citation=(
            "A. Mesaros, T. Heittola, T. Virtanen, A Multi-Device Dataset for Urban Acoustic Scene "
            "Classification, Proc. DCASE Workshop, 2018, pp. 9-13"
        ),
        url="https://dcase.community",
    ),
    "dcase-events": Corpus(
        title="DCASE 2018 task 4, weakly labelled sound events at home",
        licence="the terms are in the corpus; its clips are cut from videos that AudioSet lists",
        citation=(
            "R. Serizel, N. Turpault, H. Eghbal-Zadeh, A. P. Shah, Large-Scale Weakly Labeled "
            "Semi-Supervised Sound Event Detection in Domestic Environments, Proc. DCASE Workshop, "
            "2018"
        ),
        url="https://dcase.community/challenge2018",
    ),
    "dcase-task2": Corpus(
        title="DCASE task 2, sounds of machines and their anomalies, 2020 and later",
        licence="Creative Commons; which one is in the corpus",
        citation=(
            "Y. Koizumi et al., Description and Discussion on DCASE2020 Challenge Task 2: "
            "Unsupervised Anomalous Sound Detection for Machine Condition Monitoring, Proc. DCASE "
            "Workshop, 2020, pp. 81-85; for later years see their pages"
        ),
        url="https://dcase.community",
    ),
    "gtzan": Corpus(
        title="GTZAN, musical genres",
        licence="none stated; excerpts of commercial recordings",
        citation=(
            "G. Tzanetakis, P. Cook, Musical Genre Classification of Audio Signals, IEEE "
            "Transactions on Speech and Audio Processing 10(5), 2002, pp. 293-302, "
            "doi:10.1109/TSA.2002.800560"
        ),
        url="http://marsyas.info/downloads/datasets.html",
    ),
}


class SubChallenge(NamedTuple):
    """A corpus of the Computational Paralinguistics Challenge (ComParE)."""

    name: str  # name in the names of its folder and label file
    title: str
    # A corpus that is named after neither is recognised by exactly these labels, those of the
    # challenges' own baseline scripts. Classes always come from the label file.
    labels: frozenset[str] = frozenset()
    task: str = "classification"

    @property
    def corpus(self) -> Corpus:
        """The facts that a reader stores as DESCR."""
        year = self.name[7:11]
        return Corpus(
            title=f"ComParE {year}, {self.title}",
            licence="by agreement with the owners of the corpus",
            citation=(
                f"B. Schuller et al., The INTERSPEECH {year} Computational Paralinguistics "
                f"Challenge: {_COMPARE_TITLES[year]}, Proc. INTERSPEECH {year}"
            ),
            url="http://www.compare.openaudio.eu",
        )


_COMPARE_TITLES = {
    "2018": "Atypical & Self-Assessed Affect, Crying & Heart Beats",
    "2019": "Styrian Dialects, Continuous Sleepiness, Baby Sounds & Orca Activity",
    "2020": "Elderly Emotion, Breathing & Masks",
    "2021": "COVID-19 Cough, COVID-19 Speech, Escalation & Primates",
}

_COVID = frozenset({"positive", "negative"})

COMPARE = (
    SubChallenge("ComParE2018_AtypicalAffect", "Atypical Affect"),
    SubChallenge("ComParE2018_Crying", "Crying"),
    SubChallenge("ComParE2018_Heartbeat", "Heart Beats"),
    SubChallenge("ComParE2018_SelfAssessedAffect", "Self-Assessed Affect"),
    SubChallenge(
        "ComParE2019_BabySounds",
        "Baby Sounds",
        frozenset({"Canonical", "Non-canonical", "Crying", "Laughing", "Junk"}),
    ),
    SubChallenge(
        "ComParE2019_ContinuousSleepiness",
        "Continuous Sleepiness",
        frozenset("123456789"),
        task="regression",
    ),
    SubChallenge("ComParE2019_OrcaActivity", "Orca Activity", frozenset({"orca", "noise"})),
    SubChallenge(
        "ComParE2019_StyrianDialects",
        "Styrian Dialects",
        frozenset({"NorthernS", "UrbanS", "EasternS"}),
    ),
    SubChallenge("ComParE2020_Elderly", "Elderly Emotion"),
    SubChallenge("ComParE2020_Mask", "Masks", frozenset({"mask", "clear"})),
    SubChallenge("ComParE2021_CCS", "COVID-19 Cough", _COVID),
    SubChallenge("ComParE2021_CSS", "COVID-19 Speech", _COVID),
    SubChallenge("ComParE2021_ESS", "Escalation"),
    SubChallenge(
        "ComParE2021_PRS",
        "Primates",
        frozenset({"background", "chimpanze", "geunon", "mandrille", "redcap"}),
    ),
)


class Archive(NamedTuple):
    """A file to download, with its addresses and its checksum."""

    name: str
    checksum: str  # checksum in pooch's form
    urls: tuple[str, ...]  # tried in this order


class Source(NamedTuple):
    """The downloads of a corpus, and the folder that holds it once they are unpacked."""

    archives: tuple[Archive, ...]
    folder: str
    n_bytes: float  # approximate size of all archives


_ESC_REVISION = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"
_TUT = "TUT-acoustic-scenes-2017-development"
_TUT_CHECKSUMS = {
    "meta": "md5:9007fd4772d816590c5db5f5e9568f5d",
    "audio.1": "md5:251325a9afaaad0326ad1c57f57d514a",
    "audio.2": "md5:c26861e05147dc319b4250eb103d9d99",
    "audio.3": "md5:a4815775f8a5e629179726ee4cd4f55a",
    "audio.4": "md5:1732b03afe8c53ef8bba80ba14766e57",
    "audio.5": "md5:611be754a0c951185c6ae4b7643c19a0",
    "audio.6": "md5:165a201db800d3ea76fce5a9c2bd97d7",
    "audio.7": "md5:c7d79db84264401c0f8680dcc36013ad",
    "audio.8": "md5:35043f25123439392338c790494c7a19",
    "audio.9": "md5:0805dcf5d8e6871dc9610182b2efb93a",
    "audio.10": "md5:5df83a191295a04e290b125c634e13e7",
}
_GTZAN = "opihi.cs.uvic.ca/sound/genres.tar.gz"

# Checksums: of ESC-50 as several projects that pin this revision record it; of the others as
# soundata (UrbanSound8K), dcase_util (TUT 2017), mirdata and torchaudio (GTZAN) check them.
SOURCES = {
    "esc-50": Source(
        archives=(
            Archive(
                name=f"ESC-50-{_ESC_REVISION}.zip",
                checksum="sha256:661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
                urls=(f"https://github.com/karolpiczak/ESC-50/archive/{_ESC_REVISION}.zip",),
            ),
        ),
        folder=f"ESC-50-{_ESC_REVISION}",
        n_bytes=650e6,
    ),
    "urbansound8k": Source(
        archives=(
            Archive(
                name="UrbanSound8K.tar.gz",
                checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
                urls=("https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",),
            ),
        ),
        folder="UrbanSound8K",
        n_bytes=6e9,
    ),
    "tut2017": Source(
        archives=tuple(
            Archive(
                name=f"{_TUT}.{part}.zip",
                checksum=checksum,
                urls=(f"https://zenodo.org/records/400515/files/{_TUT}.{part}.zip",),
            )
            for part, checksum in _TUT_CHECKSUMS.items()
        ),
        folder=_TUT,
        n_bytes=11e9,
    ),
    "gtzan": Source(
        archives=(
            Archive(
                name="genres.tar.gz",
                checksum="md5:5b3d6dddb579ab49814ab86dba69e7c7",
                # The copy of the corpus's own project, an archived one of what the original host
                # served, and that host, which seldom answers.
                urls=(
                    "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",
                    f"https://web.archive.org/web/20220328223413/http://{_GTZAN}",
                    f"http://{_GTZAN}",
                ),
            ),
        ),
        folder=".",
        n_bytes=1.2e9,
    ),
}
