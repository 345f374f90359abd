"""Facts about formats: names of files."""

# Endings of files that libsndfile decodes. Left out: endings that mostly belong to other data
# (.mat, .htk) and headerless ones (.raw, .vox, .gsm, .ul, .al), which state neither rate nor
# coding.
SNDFILE_SUFFIXES = frozenset(
    {
        *(".8svx", ".aif", ".aifc", ".aiff", ".amb", ".au", ".avr", ".bwf", ".caf", ".flac"),
        *(".iff", ".ircam", ".mp1", ".mp2", ".mp3", ".mpga", ".nist", ".oga", ".ogg", ".opus"),
        *(".paf", ".pvf", ".rf64", ".sd2", ".sds", ".sf", ".snd", ".sph", ".svx", ".voc", ".w64"),
        *(".wav", ".wave", ".wve"),
    }
)
# Endings of audio files that FFmpeg decodes. Containers of films (.mp4, .mkv, .mov) are read where
# they are named, but not looked for in folders.
FFMPEG_SUFFIXES = frozenset(
    {
        *(".3ga", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".awb", ".dsf", ".eac3", ".m4a", ".m4b"),
        *(".mka", ".tta", ".weba", ".webm", ".wma", ".wv"),
    }
)
AUDIO_SUFFIXES = SNDFILE_SUFFIXES | FFMPEG_SUFFIXES
