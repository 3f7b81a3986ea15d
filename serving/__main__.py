"""Run the command line: `python -m serving …`."""

from serving.commands import main

if __name__ == "__main__":
    main()
