"""`python -m skaudeep`: the command line, where no script is installed."""

from skaudeep.cli import main

if __name__ == "__main__":
    main()
