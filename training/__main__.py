"""Run the command line: `python -m training …`."""

from training.commands import main

if __name__ == "__main__":
    main()
