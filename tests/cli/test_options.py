"""Options that several commands have."""


def test_debug_shows_where_an_error_happened(run):
    quiet, loud = run("inspect", "nowhere"), run("inspect", "nowhere", "--debug")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.splitlines()[-1] == quiet.stderr.splitlines()[-1]
    assert loud.exit_code == quiet.exit_code == 1
