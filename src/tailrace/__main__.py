"""``python -m tailrace`` is the command line."""

from tailrace.cli.main import run

if __name__ == "__main__":
    run()
